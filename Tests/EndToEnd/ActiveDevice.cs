using System.Text.RegularExpressions;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Finds which of a node's two devices carries its traffic: by a real clock that depends on the day.</summary>
internal static class ActiveDevice
{
    /// <summary>Matches the name of either device, for extended regular expressions too.</summary>
    public static string Pattern { get; } = $"({string.Join('|', MeshPlan.DeviceNames)})";

    /// <summary>The device that the routes to other nodes' pods lead through.</summary>
    public static async Task<string> FindAsync(MeshHarness mesh, NodePlan node, CancellationToken cancellationToken)
    {
        var routes = (await mesh.RunAsync(node, cancellationToken, "ip", "route", "show", "table", "201")).EnsureSuccess().Output;
        var device = Regex.Match(routes, $"dev {Pattern} ");
        Expect.True(device.Success, $"{node.Name} has a route through a device:\n{routes}");
        return device.Groups[1].Value;
    }

    /// <summary>The UDP port of a device.</summary>
    public static int Port(string device) => MeshPlan.DeviceNames.Zip(MeshPlan.WireGuardPorts).Single(slot => slot.First == device).Second;
}
