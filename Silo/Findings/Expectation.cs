using System.Net;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>What the mesh believes of this node, to be compared with what the kernel shows.</summary>
/// <param name="OwnPrefixes">The pod prefixes of this node; empty while nobody has told them.</param>
/// <param name="RemotePrefixes">Those of the other nodes, with their names.</param>
/// <param name="NodeAddresses">Where the nodes are reached, this one included.</param>
/// <param name="PodRanges">What the configuration calls ranges of pods (<c>Encryption:ClusterCIDRs</c>).</param>
/// <param name="DeviceNames">Names of the devices through which the tunnels go.</param>
/// <param name="UnderlayLinks">Numbers of the links by which peers are reached.</param>
internal sealed record Expectation(
    EquatableArray<IPPrefix> OwnPrefixes,
    EquatableArray<(IPPrefix Prefix, string NodeName)> RemotePrefixes,
    EquatableArray<IPAddress> NodeAddresses,
    EquatableArray<IPPrefix> PodRanges,
    EquatableArray<string> DeviceNames,
    EquatableArray<int> UnderlayLinks)
{
    /// <summary>The routing table that pods' packets are looked up in.</summary>
    public uint Table { get; init; } = RouteTable.Default.Number;

    /// <summary>The priority of the rules that lead there.</summary>
    public uint RulePriority { get; init; } = RouteTable.Default.RulePriority;

    /// <summary>What is led through the tunnels as another data plane packs it; <see langword="null"/> if that is not known.</summary>
    public OwnEncapsulation? Encapsulation { get; init; }

    /// <summary>
    /// This node's addresses among the pods' that the other nodes are told of: they let pass what comes from them, and answer through the
    /// tunnels.
    /// </summary>
    public EquatableArray<IPAddress> ToldAddresses { get; init; } = [];

    /// <summary>Where packets leave past netfilter, as far as it could be told.</summary>
    public EquatableArray<BlindSpot> BlindSpots { get; init; } = [];
}
