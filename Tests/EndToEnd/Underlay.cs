using System.Globalization;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Changes the MTU of the links between nodes, and watches what the devices on them do.</summary>
internal static class Underlay
{
    /// <summary>Gives every node's link another MTU and waits until every device has followed.</summary>
    /// <param name="mesh">The mesh.</param>
    /// <param name="mtu">In bytes, for the links between nodes.</param>
    /// <param name="expected">In bytes, of every device.</param>
    /// <param name="limit">How long it may take.</param>
    /// <returns>How long it took.</returns>
    public static async Task<TimeSpan> NarrowAsync(MeshHarness mesh, int mtu, string expected, TimeSpan limit)
    {
        var (time, token) = (TimeProvider.System, TestContext.Current.CancellationToken);
        foreach (var node in mesh.Plan.Nodes)
        {
            (await mesh.RunAsync(
                node, token, "ip", "link", "set", TopologyCommands.NodeUnderlayLink, "mtu", mtu.ToString(CultureInfo.InvariantCulture)))
                    .EnsureSuccess();
        }

        var started = time.GetTimestamp();
        foreach (var node in mesh.Plan.Nodes)
        {
            string seen;
            while ((seen = await ReadMtuAsync(mesh, node)) != expected)
            {
                Assert.True(time.GetElapsedTime(
                    started) < limit, $"The device of {node.Name} has MTU {seen} instead of {expected}, after {limit}.");
                await Task.Delay(TimeSpan.FromMilliseconds(20), time, token);
            }
        }

        return time.GetElapsedTime(started);
    }

    /// <summary>The MTU in bytes of the device that carries a node's traffic, as text.</summary>
    public static async Task<string> ReadMtuAsync(MeshHarness mesh, NodePlan node)
    {
        var device = await ActiveDevice.FindAsync(mesh, node, TestContext.Current.CancellationToken);
        return (await mesh.RunAsync(node, TestContext.Current.CancellationToken, "cat", $"/sys/class/net/{device}/mtu"))
            .EnsureSuccess().Output.Trim();
    }
}
