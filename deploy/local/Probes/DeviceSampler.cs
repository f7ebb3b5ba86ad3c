using Orleans.WireGuard.LocalMesh.Secrets;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>The devices of all nodes at about one moment.</summary>
/// <param name="At">When the last one was read.</param>
/// <param name="Devices">By node name; a node whose device cannot be read is missing.</param>
internal sealed record DeviceSample(DateTimeOffset At, IReadOnlyDictionary<string, DeviceDump> Devices);

/// <summary>Reads the devices of all nodes with <c>wg</c>, and collects every private key that it sees on the way.</summary>
internal sealed class DeviceSampler(MeshHarness mesh, SecretCollection secrets, TimeProvider time)
{
    // Two cores also run the silos and the devices themselves.
    private const int Parallelism = 3;

    /// <summary>Reads all devices once.</summary>
    public async Task<DeviceSample> TakeAsync(CancellationToken cancellationToken)
    {
        var devices = new Dictionary<string, DeviceDump>();
        await Parallel.ForEachAsync(
            mesh.Plan.Nodes,
            new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (node, token) =>
            {
                var result = await mesh.RunAsync(node, token, "wg", "show", MeshPlan.DeviceName, "dump");
                if (result.ExitCode == 0)
                {
                    var device = DeviceDump.Parse(result.Output, out var privateKey);
                    lock (devices)
                    {
                        devices[node.Name] = device;
                    }

                    secrets.Add(privateKey);
                }
            });
        return new DeviceSample(time.GetUtcNow(), devices);
    }
}
