using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>Puts together what the devices show from outside and what the silos say.</summary>
/// <param name="plan">The machines.</param>
/// <param name="period">Length of an epoch.</param>
/// <param name="probes">What is seen from outside.</param>
/// <param name="status">What the silos say.</param>
/// <param name="timeProvider">The clock.</param>
/// <param name="isNode">Whether a machine is a node at the moment; the others are not shown.</param>
/// <param name="hints">What else to try, line by line.</param>
internal sealed class DemoView(
    MeshPlan plan, TimeSpan period, MeshProbes probes, StatusPoller status,
    TimeProvider timeProvider, Func<NodePlan, bool> isNode, IReadOnlyList<string> hints)
{
    /// <summary>Characters of a public key that are enough to see it change.</summary>
    private const int ShortKeyLength = 8;

    private static readonly TimeSpan PingWindow = TimeSpan.FromSeconds(5);

    /// <summary>The state of this moment.</summary>
    public DemoSnapshot Take()
    {
        var now = timeProvider.GetUtcNow();
        var sample = probes.Observer.Latest ?? new DeviceSample(now, new Dictionary<string, IReadOnlyList<DeviceDump>>());

        // Pings of the last second may still be answered.
        var until = now - MeshProbes.Patience;
        var nodes = plan.Nodes.Where(isNode).ToList();
        var names = nodes.Select(node => node.Name).ToHashSet();
        return new DemoSnapshot(
            plan,
            nodes,
            [.. nodes.Select(node => Row(node, nodes, sample, now))],
            probes.Report(until - PingWindow, until)
                .Where(pair => names.Contains(pair.Key.From) && names.Contains(pair.Key.To)).ToDictionary(),
            period,
            hints,
            status.Problem);
    }

    private DemoRow Row(NodePlan node, IReadOnlyList<NodePlan> nodes, DeviceSample sample, DateTimeOffset now)
    {
        var peers = sample.Of(node.Name).SelectMany(device => device.Peers).ToList();
        var said = status.Latest?.Nodes.GetValueOrDefault(node.Name);
        var uses = probes.Observer.Read(
            (keys, _) => (Last: keys.Of(node.Name) is [.., var last] ? last : null, Rotations: keys.Rotations(node.Name)));

        // The newest key, as long as a device has it.
        var key = sample.Of(node.Name).Any(device => device.PublicKey == uses.Last?.PublicKey) ? uses.Last?.PublicKey : null;
        var handshake = peers.Max(p => p.LatestHandshake);
        return new DemoRow(
            node.Name,
            said?.Epoch,
            KeyAge(key, said, uses.Last, now),
            key?[..ShortKeyLength] ?? "none",
            nodes.Count(holder => holder != node && AgreementHistory.Agrees(sample, holder, node)),
            now - handshake,
            peers.Sum(p => p.ReceiveBytes),
            peers.Sum(p => p.TransmitBytes),
            uses.Rotations,
            said?.Problem ?? "");
    }

    // The silo knows when it made the key, but was asked some seconds ago: a newer key is as old as our first sight of it.
    private static TimeSpan? KeyAge(string? key, NodeView? said, KeyUse? seen, DateTimeOffset now)
    {
        if (key is null)
        {
            return null;
        }

        if (said?.CreatedAt.TryGetValue(key, out var createdAt) == true)
        {
            return now - createdAt;
        }

        return seen?.PublicKey == key ? now - seen.FirstSeen : TimeSpan.Zero;
    }
}
