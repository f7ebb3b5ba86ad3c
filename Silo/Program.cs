using System.CommandLine;
using Orleans.WireGuard.Silo.Cli;

var root = new RootCommand("The WireGuard agent of a Kubernetes node: runs its silo, and shows and steers the mesh.")
{
    RunCommand.Create(),
    StatusCommand.Create(),
    PeersCommand.Create(),
    RotateCommand.Create(),
    CleanupCommand.Create(),
};
var parsed = root.Parse(args);
var code = await parsed.InvokeAsync();

// The parser ends a wrong command line with 1, which here means that the silo could not be reached.
return parsed.Errors.Count > 0 ? ExitCode.Misconfigured : code;
