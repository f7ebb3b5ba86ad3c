using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.ApiServer;

/// <summary>The API server of a mesh, on the host's address of the underlay, where every node reaches it.</summary>
/// <remarks>
/// It is the test API server: on its own, or in front of a cluster that somebody has. The nodes are network namespaces, from which the
/// address in that somebody's kubeconfig, often 127.0.0.1, leads nowhere.
/// </remarks>
internal static class ApiServerProcess
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);

    /// <summary>The program, built beside this one.</summary>
    /// <exception cref="PrerequisiteException">It was not built.</exception>
    public static string FindBinary()
    {
        var source = SiloBuild.FindSourceDirectory();
        var binary = Path.Combine(source ?? "", "artifacts", "bin", "Orleans.WireGuard.TestApiServer", "release", "owg-test-api");
        return source is not null && File.Exists(binary)
            ? binary
            : throw new PrerequisiteException($"The test API server is not built: expected {binary}; 'make demo-kubernetes' builds it.");
    }

    /// <summary>Starts it and waits until its kubeconfig is there (<see cref="MeshState.KubeConfig"/>).</summary>
    /// <param name="mesh">The mesh whose host address it listens on.</param>
    /// <param name="forwardTo">Kubeconfig of a cluster to which requests go on; <see langword="null"/> for none.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="MeshFailedException">It did not start; the message has the end of its log.</exception>
    public static async Task<OwnedProcess> StartAsync(
        MeshHarness mesh, string? forwardTo, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var state = mesh.State;
        string[] forward = forwardTo is null ? [] : ["--forward-to", Path.GetFullPath(forwardTo)];
        var process = mesh.Recorder.Start(
            [FindBinary(), "--kubeconfig", state.KubeConfig, "--listen", $"{mesh.Plan.HostAddress}:{MeshPlan.ApiServerPort}", .. forward],
            state.ApiServerLog,
            new Dictionary<string, string?> { ["DOTNET_ROOT"] = MeshHarness.RuntimeDirectory });
        var start = timeProvider.GetTimestamp();
        while (!File.Exists(state.KubeConfig))
        {
            if (!process.IsAlive || timeProvider.GetElapsedTime(start) > Timeout)
            {
                throw new MeshFailedException($"The API server did not start. Last lines of its log:\n{LogTail.Read(state.ApiServerLog)}");
            }

            await Task.Delay(Poll, timeProvider, cancellationToken);
        }

        return process;
    }
}
