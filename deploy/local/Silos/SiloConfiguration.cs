using System.Globalization;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Silos;

/// <summary>Writes the configuration file of one silo of the mesh.</summary>
internal static class SiloConfiguration
{
    /// <summary>The configuration as <c>owg run --config</c> reads it.</summary>
    /// <param name="plan">All nodes.</param>
    /// <param name="node">The node that the silo is for.</param>
    /// <param name="period">Length of an epoch.</param>
    public static JsonObject Create(MeshPlan plan, NodePlan node, TimeSpan period) => new()
    {
        ["Node"] = new JsonObject { ["Name"] = node.Name },
        ["Nodes"] = new JsonObject
        {
            ["Source"] = "Static",
            ["Static"] = new JsonArray([.. plan.Nodes.Select(n => new JsonObject
            {
                ["Name"] = n.Name,
                ["Addresses"] = ToArray(n.Address, n.IPv6?.Address),
                ["PodCIDRs"] = ToArray(n.PodCIDR, n.IPv6?.PodCIDR),
            })]),
        },
        ["Clustering"] = new JsonObject
        {
            ["Provider"] = "Redis",
            ["Redis"] = $"{plan.HostAddress}:{MeshPlan.RedisPort}",
            ["ClusterId"] = "local",
            ["SiloPort"] = MeshPlan.SiloPort,
            ["GatewayPort"] = MeshPlan.GatewayPort,
        },
        ["Device"] = new JsonObject { ["StartUserspace"] = true },
        ["Rotation"] = new JsonObject { ["Period"] = period.ToString("c", CultureInfo.InvariantCulture) },

        // The dashboard's page costs 52 MB, so one silo is enough to serve it. It shows the silos that count.
        ["Dashboard"] = new JsonObject { ["Enabled"] = node == plan.Nodes[0], ["Counters"] = true },
        ["Web"] = new JsonObject { ["Address"] = plan.WebAddress(node).ToString(), ["Port"] = MeshPlan.WebPort },
    };

    private static JsonArray ToArray(params IEnumerable<object?> values) =>
        new([.. values.OfType<object>().Select(value => JsonValue.Create(value.ToString()))]);
}
