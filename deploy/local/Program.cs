using System.Runtime.InteropServices;
using k8s.Autorest;
using Orleans.WireGuard.LocalMesh.Demo;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Topology;
using StackExchange.Redis;

using var cancellation = new CancellationTokenSource();
PosixSignal[] endings = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT];
var registrations = Array.ConvertAll(endings, signal => PosixSignalRegistration.Create(signal, context =>
{
    // Leaving by the signal itself would skip the removal of namespaces and processes.
    context.Cancel = true;
    cancellation.Cancel();
}));
try
{
    return await LocalCommand.RunAsync(args, TimeProvider.System, Console.Out, cancellation.Token);
}
catch (HttpOperationException e)
{
    Console.Error.WriteLine($"The API server refused: {e.Message} {e.Response.Content}".Trim());
    return 2;
}
catch (Exception e) when (e is HttpRequestException or FormatException or FileNotFoundException
    or RedisException or MeshFailedException or MeshInUseException or PrerequisiteException or CommandException)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}
catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
{
    return 130;
}
finally
{
    Array.ForEach(registrations, r => r.Dispose());
}
