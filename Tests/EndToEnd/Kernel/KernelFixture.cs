// Boots the guest of the kernel test bed once for all of its tests.
using System.Diagnostics;

namespace Orleans.WireGuard.Tests.EndToEnd.Kernel;

/// <summary>Runs <c>Tests/EndToEnd/Kernel/run short</c> and keeps its report.</summary>
public sealed class KernelFixture : IAsyncLifetime
{
    // The script limits the guest to 22 minutes, of which it takes half on two slow cores; a first run also downloads and publishes.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(27);

    /// <summary>What the guest said.</summary>
    internal KernelReport Report { get; private set; } = KernelReport.Parse("");

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        var start = new ProcessStartInfo(Path.Combine(FindRoot(), "Tests", "EndToEnd", "Kernel", "run"), ["short"])
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };

        // What `dotnet test` sets for its own build server and host must not reach the script's `dotnet publish`.
        foreach (var name in start.Environment.Keys.Where(key => key.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList())
        {
            start.Environment.Remove(name);
        }

        using var limit = new CancellationTokenSource(Limit, TimeProvider.System);
        using var script = Process.Start(start) ?? throw new InvalidOperationException("The script did not start.");
        try
        {
            Report = KernelReport.Parse(await script.StandardOutput.ReadToEndAsync(limit.Token));
            await script.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            script.Kill(entireProcessTree: true);
            throw new TimeoutException($"The kernel test bed did not end within {Limit}.");
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Orleans.WireGuard.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException($"{AppContext.BaseDirectory} is not inside the repository.");
    }
}
