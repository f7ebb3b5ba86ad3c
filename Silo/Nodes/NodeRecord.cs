using System.Net;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>What Kubernetes says of one node, as far as the mesh needs it.</summary>
/// <param name="Name">Node name, which is also its silo's name.</param>
/// <param name="Uid">Changes when a node of the same name is created anew.</param>
/// <param name="Addresses">InternalIPs, then ExternalIPs, each in the order of the object, without repetition.</param>
/// <param name="PodCIDRs">Sorted, without repetition.</param>
/// <param name="AnnotatedKey">The annotation <c>network.cilium.io/wg-pub-key</c> as it stands there; null if there is none.</param>
/// <param name="Problems">What is missing or unreadable, in words; empty if the node can take part.</param>
internal sealed record NodeRecord(
    string Name,
    string Uid,
    EquatableArray<IPAddress> Addresses,
    EquatableArray<IPPrefix> PodCIDRs,
    string? AnnotatedKey,
    EquatableArray<string> Problems)
{
    /// <summary>The kind of the object: <c>Node</c> or <c>CiliumNode</c>.</summary>
    public string Kind { get; init; } = ApiResource.Nodes.Kind;

    /// <summary>When the object was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>
    /// Single addresses that a CiliumNode has for its pods. Sorted; of other nodes than this one nobody asks, so it is empty.
    /// </summary>
    public EquatableArray<IPPrefix> PoolAddresses { get; init; } = [];

    /// <summary>Whether its labels say that no silo can run there (<see cref="NodesOptions.Exempt"/>).</summary>
    public bool IsExempt { get; init; }
}
