using System.CommandLine;
using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Silo.Hosting;

var root = new RootCommand("The WireGuard agent of a Kubernetes node: runs its silo, and shows and steers the mesh.")
{
    RunCommand.Create(),
    StatusCommand.Create(),
    PeersCommand.Create(),
    RotateCommand.Create(),
    FreezeCommand.Create(),
    FreezeCommand.CreateUnfreeze(),
    WatchCommand.Create(),
    CleanupCommand.Create(),
};
var parsed = root.Parse(args);

// Orleans goes on telling a membership store that is away for two minutes. The host gives it ShutdownTimeout; if it takes longer, the
// process ends all the same. Its tunnels stay, and the others notice.
var code = await parsed.InvokeAsync(new() { ProcessTerminationTimeout = SiloDefaults.ShutdownTimeout + TimeSpan.FromSeconds(1) });

// The parser ends a wrong command line with 1, which here means that the silo could not be reached.
return parsed.Errors.Count > 0 ? ExitCode.Misconfigured : code;
