using System.Net;
using System.Runtime.InteropServices;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

// owg-test-api: the test API server as a program, until it is told to end.
const string Usage = "usage: owg-test-api --kubeconfig FILE [--listen ADDRESS[:PORT]] [--forward-to KUBECONFIG]";

// The output is for people and for tests that fail; RFC 3339, as the silos' logs.
static void Log(string line) => Console.Out.WriteLine($"{TimeProvider.System.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {line}");

var options = new Dictionary<string, string>(StringComparer.Ordinal);
for (var index = 0; index < args.Length; index += 2)
{
    if (args[index] is not ("--kubeconfig" or "--listen" or "--forward-to") || index + 1 == args.Length)
    {
        Console.Error.WriteLine($"owg-test-api: '{args[index]}' is unknown or lacks its value.\n{Usage}");
        return 2;
    }

    options[args[index]] = args[index + 1];
}

if (!options.TryGetValue("--kubeconfig", out var file)
    || !IPEndPoint.TryParse(options.GetValueOrDefault("--listen", "127.0.0.1"), out var endpoint))
{
    Console.Error.WriteLine(Usage);
    return 2;
}

using var cancellation = new CancellationTokenSource();
PosixSignal[] endings = [PosixSignal.SIGINT, PosixSignal.SIGTERM];
var registrations = Array.ConvertAll(endings, signal => PosixSignalRegistration.Create(signal, context =>
{
    context.Cancel = true;
    cancellation.Cancel();
}));
try
{
    await using var server = await TestApiServer.StartAsync(
        TimeProvider.System, cancellation.Token, options.GetValueOrDefault("--forward-to"), endpoint.Address, endpoint.Port, Log);
    KubeConfigFile.Write(file, server);
    Console.Out.WriteLine(
        $"{server.Address} with the kubeconfig {file}{(server.IsProxy ? $", in front of the cluster of {options["--forward-to"]}" : "")}");
    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation.Token);
}
catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
{
    // How it ends. A kubeconfig without a server would only mislead.
    File.Delete(file);
}
catch (Exception e) when (e is IOException or k8s.Exceptions.KubeConfigException)
{
    Console.Error.WriteLine($"owg-test-api: {e.Message}");
    return 2;
}
finally
{
    Array.ForEach(registrations, registration => registration.Dispose());
}

return 0;
