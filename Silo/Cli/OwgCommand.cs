using System.CommandLine;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>The command <c>owg</c> with its verbs.</summary>
internal static class OwgCommand
{
    /// <summary>Makes the command with all its verbs.</summary>
    public static RootCommand Create() => new("The WireGuard agent of a Kubernetes node: runs its silo, and shows and steers the mesh.")
    {
        RunCommand.Create(),
        StatusCommand.Create(),
        DoctorCommand.Create(),
        PeersCommand.Create(),
        RotateCommand.Create(),
        FreezeCommand.Create(),
        FreezeCommand.CreateUnfreeze(),
        WatchCommand.Create(),
        CleanupCommand.Create(),
    };

    /// <summary>Does what the command line says.</summary>
    /// <returns>The exit code; see <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        // Orleans goes on telling a membership store that is away for two minutes. The host gives it ShutdownTimeout; if it takes longer,
        // the process ends all the same. Its tunnels stay, and the others notice. The parser's own handler would print a stack trace.
        var invocation = new InvocationConfiguration
        {
            ProcessTerminationTimeout = SiloDefaults.ShutdownTimeout + TimeSpan.FromSeconds(1),
            EnableDefaultExceptionHandler = false,
        };
        try
        {
            var parsed = Create().Parse(arguments);
            var code = await parsed.InvokeAsync(invocation);

            // The parser ends a wrong command line with 1, which here means that the silo could not be reached.
            return parsed.Errors.Count > 0 ? ExitCode.Misconfigured : code;
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C; whoever pressed it knows.
            return ExitCode.Failed;
        }
        catch (Exception e)
        {
            return Fault.Tell(e);
        }
    }
}
