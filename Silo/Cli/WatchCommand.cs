using System.CommandLine;
using Microsoft.Win32.SafeHandles;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg watch</c>: rotations as they happen, a line for each event.</summary>
internal static class WatchCommand
{
    private const int StandardOutput = 1;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    private static readonly Option<string?> OnlyNode = new("--node", "-n")
    {
        Description = "Only what concerns this node. Default: every node.",
        HelpName = "name",
    };

    /// <summary>Makes the verb.</summary>
    public static Command Create()
    {
        var command = new Command(
            "watch",
            "Show rotations as they happen: who re-keyed, who agreed, who moved, who is late. Asks the mesh four times a second. Ctrl-C ends it, with exit code 0.")
        {
            OnlyNode, CommonOptions.Output, CommonOptions.Gateway, CommonOptions.Config,
        };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, cancellationToken));
        return command;
    }

    /// <summary>Whether an event concerns a node, itself or as the other end; without a name each one does. Pure.</summary>
    public static bool Concerns(WatchEvent e, string? nodeName) => nodeName is null || e.NodeName == nodeName || e.Peer == nodeName;

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        try
        {
            return await MeshConnection.UseAsync(
                parsed, connection => WatchAsync(parsed, connection, cancellationToken), cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl-C is how a watch ends.
            return ExitCode.Success;
        }
        catch (IOException)
        {
            // Whoever read the pipe has gone.
            return ExitCode.Success;
        }
    }

    private static async Task<int> WatchAsync(ParseResult parsed, MeshConnection connection, CancellationToken cancellationToken)
    {
        var (mesh, nodeName) = (connection.Grains.GetGrain<IMeshGrain>(IMeshGrain.DefaultMesh), parsed.GetValue(OnlyNode));
        var isJson = parsed.GetValue(CommonOptions.Output) == OutputFormat.Json;

        // Console.Out swallows EPIPE: behind a reader that has gone, such as 'head', the watch would run for ever.
        await using var writer = new StreamWriter(
            new FileStream(new SafeFileHandle(StandardOutput, ownsHandle: false), FileAccess.Write, 0))
        { AutoFlush = true };
        var output = new Terminal(writer);
        var before = await MeshReader.ReadAsync(mesh, TimeProvider.System, cancellationToken);
        if (nodeName is not null && before.Nodes.All(node => node.NodeName != nodeName))
        {
            return Fault.Tell(
                ExitCode.Failed,
                $"The mesh has no node '{nodeName}'; it has {string.Join(", ", before.Nodes.Select(node => node.NodeName))}.");
        }

        // Not an event, so not where a script reads.
        Terminal.Error.Line($"Watching {nodeName ?? $"{before.Nodes.Count} nodes"}, times in UTC; Ctrl-C ends it.");
        var known = WatchDiff.Remember(new Dictionary<string, NodeStatus>(), before);
        var isAnswered = true;
        using var timer = new PeriodicTimer(Interval, TimeProvider.System);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            MeshSnapshot after;
            try
            {
                after = await MeshReader.ReadAsync(mesh, TimeProvider.System, cancellationToken);
                isAnswered = true;
            }
            catch (Exception e) when (e is OrleansException or TimeoutException)
            {
                if (isAnswered)
                {
                    Terminal.Error.Line($"owg: No silo answers, trying again until one does: {e.Message.ReplaceLineEndings(" ")}");
                }

                isAnswered = false;
                continue;
            }

            foreach (var e in WatchDiff.Compare(known, before, after).Where(e => Concerns(e, nodeName)))
            {
                if (isJson)
                {
                    output.Json(MeshJson.Line(e));
                }
                else
                {
                    output.Line(e.ToString());
                }
            }

            (before, known) = (after, WatchDiff.Remember(known, after));
        }

        return ExitCode.Success;
    }
}
