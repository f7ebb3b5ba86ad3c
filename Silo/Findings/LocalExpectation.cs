using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>
/// What the mesh believed, told without a silo: by the configured list of nodes, else by the rules and routes that a silo left. Pure.
/// </summary>
internal static class LocalExpectation
{
    private const string SomeNode = "another node";

    /// <summary>Puts together what a silo of this node would expect, as far as the node still shows it.</summary>
    /// <param name="nodeName">This node; empty if unknown.</param>
    /// <param name="roster">The configured nodes; <see langword="null"/> if there is no list.</param>
    /// <param name="dump">What the kernel shows.</param>
    /// <param name="rules">The sources that are led into our table: this node's prefixes.</param>
    /// <param name="routes">The routes of our table.</param>
    /// <param name="podRanges">See <see cref="Expectation.PodRanges"/>.</param>
    /// <param name="deviceNames">See <see cref="Expectation.DeviceNames"/>.</param>
    public static Expectation Build(
        string nodeName,
        NodeRoster? roster,
        NetworkDump dump,
        EquatableArray<IPPrefix> rules,
        EquatableArray<Route> routes,
        EquatableArray<IPPrefix> podRanges,
        EquatableArray<string> deviceNames)
    {
        // By these the node reaches others, as long as nobody knows who they are.
        var underlay = dump.Routes.Where(route => route is { Action: RouteAction.Forward, HasGateway: true, Destination.Length: 0 })
            .Select(route => route.LinkIndex).Distinct().ToEquatableArray();
        if (roster?.Find(nodeName) is { } self)
        {
            var others = roster.Nodes.Values.Where(node => node.NodeName != nodeName).ToList();
            return new Expectation(
                self.PodCIDRs,
                others.SelectMany(node => node.PodCIDRs.Select(prefix => (prefix, node.NodeName))).ToEquatableArray(),
                roster.Nodes.Values.SelectMany(node => node.Addresses).ToEquatableArray(),
                podRanges,
                deviceNames,
                underlay);
        }

        var remote = routes.Where(route => !route.IsThrow && !podRanges.Contains(route.Destination))
            .Select(route => route.Destination).Distinct();
        return new Expectation(rules, remote.Select(prefix => (prefix, SomeNode)).ToEquatableArray(), [], podRanges, deviceNames, underlay);
    }
}
