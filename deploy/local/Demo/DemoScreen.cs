using Spectre.Console;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>Shows a demo until it is cancelled: a live table on a terminal, lines elsewhere.</summary>
internal sealed class DemoScreen(TimeProvider timeProvider, TextWriter output)
{
    private static readonly TimeSpan Refresh = TimeSpan.FromSeconds(1);

    // A line a second would bury everything else in a log.
    private static readonly TimeSpan PlainRefresh = TimeSpan.FromSeconds(5);

    /// <summary>Shows the mesh anew every second, or prints it every five.</summary>
    public Task ShowAsync(DemoView view, CancellationToken cancellationToken) =>
        Console.IsOutputRedirected ? PrintLinesAsync(view, cancellationToken) : ShowLiveAsync(view, cancellationToken);

    private async Task ShowLiveAsync(DemoView view, CancellationToken cancellationToken) =>
        await AnsiConsole.Live(new Text("")).StartAsync(async live =>
        {
            while (true)
            {
                live.UpdateTarget(DemoTable.Render(view.Take()));
                live.Refresh();
                await Task.Delay(Refresh, timeProvider, cancellationToken);
            }
        });

    private async Task PrintLinesAsync(DemoView view, CancellationToken cancellationToken)
    {
        foreach (var line in DemoLines.Introduce(view.Take()))
        {
            output.WriteLine(line);
        }

        while (true)
        {
            // First the pause: at the start nothing has been measured yet.
            await Task.Delay(PlainRefresh, timeProvider, cancellationToken);
            foreach (var line in DemoLines.Render(view.Take()))
            {
                output.WriteLine(line);
            }
        }
    }
}
