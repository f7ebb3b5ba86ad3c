using System.Runtime.InteropServices;
using k8s.Autorest;
using Orleans.WireGuard.LocalMesh.Demo;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Topology;

// owg-local: a mesh of silos on one machine, for people (demo), for scripts (check), for experiments (up).
var time = TimeProvider.System;
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
    var verb = args.FirstOrDefault();
    var options = LocalOptions.Read(Environment.GetEnvironmentVariable, TimeSpan.FromSeconds(verb is "check" or "bench" ? 5 : 10));
    if (NativeMethods.EffectiveUserId() != 0)
    {
        Console.Error.WriteLine("A local mesh makes network namespaces, which needs root: run it again with sudo.");
        return 2;
    }

    switch (verb)
    {
        case "prerequisites":
            await Prerequisites.EnsureAsync(Console.Out, time, cancellation.Token);
            return 0;
        case "up":
            return await new UpCommand(options, time, Console.Out).RunAsync(cancellation.Token);
        case "demo":
            return await new DemoCommand(options, time, Console.Out).RunAsync(cancellation.Token);
        case "demo-kubernetes":
            return await new KubernetesDemoCommand(options, time, Console.Out).RunAsync(cancellation.Token);
        case "node":
            return await new NodeCommand(options, Console.Out).RunAsync(args[1..], cancellation.Token);
        case "check":
            return await new CheckCommand(options, time, Console.Out).RunAsync(cancellation.Token);
        case "bench":
            return await new BenchCommand(options, time, Console.Out).RunAsync(cancellation.Token);
        case "bench-rotation":
            return await new RotationBenchCommand(options, time, Console.Out).RunAsync(cancellation.Token);
        case "bench-witness":
            return await new WitnessBenchCommand(options, time, Console.Out).RunAsync(cancellation.Token);
        case "down":
            return await new DownCommand(options, time, Console.Out).RunAsync(cancellation.Token);
        default:
            Console.Error.WriteLine("usage: owg-local demo|demo-kubernetes|node|check|bench|bench-rotation|bench-witness|down|up|prerequisites   (NODES, PERIOD, DURATION as environment variables)");
            return 2;
    }
}
catch (HttpOperationException e)
{
    Console.Error.WriteLine($"The API server refused: {e.Message} {e.Response.Content}".Trim());
    return 2;
}
catch (Exception e) when (e is HttpRequestException or FormatException or MeshFailedException or MeshInUseException or PrerequisiteException or CommandException or FileNotFoundException)
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
