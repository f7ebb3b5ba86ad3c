using Orleans.WireGuard.LocalMesh.Secrets;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>The devices of all nodes at about one moment.</summary>
/// <param name="At">When the last one was read.</param>
/// <param name="Devices">By node name, then by slot; a node whose devices cannot be read is missing.</param>
internal sealed record DeviceSample(DateTimeOffset At, IReadOnlyDictionary<string, IReadOnlyList<DeviceDump>> Devices)
{
    /// <summary>The devices of a node, by slot; none if they could not be read.</summary>
    public IReadOnlyList<DeviceDump> Of(string node) => Devices.GetValueOrDefault(node) ?? [];
}

/// <summary>Reads the devices of all nodes with <c>wg</c>, and collects every private key that it sees on the way.</summary>
internal sealed class DeviceSampler(MeshHarness mesh, SecretCollection secrets, TimeProvider timeProvider)
{
    // Two cores also run the silos and the devices themselves.
    private const int Parallelism = 3;

    /// <summary>Reads all devices once.</summary>
    public async Task<DeviceSample> TakeAsync(CancellationToken cancellationToken)
    {
        var devices = new Dictionary<string, IReadOnlyList<DeviceDump>>();
        await Parallel.ForEachAsync(
            mesh.Plan.Nodes,
            new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (node, token) =>
            {
                var result = await mesh.RunAsync(node, token, "wg", "show", "all", "dump");
                if (result.ExitCode == 0 && DeviceDump.ParseAll(result.Output, MeshPlan.DeviceNames, secrets.Add) is { Count: > 0 } found)
                {
                    lock (devices)
                    {
                        devices[node.Name] = found;
                    }
                }
            });
        return new DeviceSample(timeProvider.GetUtcNow(), devices);
    }
}
