using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>
/// A kind of cluster: how its network plugin gives pods addresses and carries their packets, and what the silos there are told.
/// </summary>
internal abstract class CniKind
{
    /// <summary>Unique; words joined by hyphens.</summary>
    public abstract string Name { get; }

    /// <summary>How pods get their addresses, and who knows.</summary>
    public abstract string Addresses { get; }

    /// <summary>How packets go from node to node without us, and what is masqueraded.</summary>
    public abstract string Way { get; }

    /// <summary>The overlay that is for it; <see langword="null"/> if the base is enough.</summary>
    public virtual string? Overlay => null;

    /// <summary>What the silos are told besides the base: exactly what the overlay adds.</summary>
    public virtual IReadOnlyDictionary<string, string> Settings => CniSettings.None;

    /// <summary>Of <see cref="Settings"/>, those that every cluster has a value of its own for; in the overlay stands an example.</summary>
    public virtual IReadOnlyList<string> OfEachCluster => [];

    /// <summary>
    /// Settings without which it is known not to work: a version that lacks one cannot pass. Without pods' packets to nodes in the tunnel
    /// the
    /// answer of a NodePort's pod on a third node is dropped.
    /// </summary>
    public virtual IReadOnlyList<string> Needs => [CniSettings.NodeAddresses];

    /// <summary>What makes it work, each to be switched off.</summary>
    public abstract IReadOnlyList<CniFix> Fixes { get; }

    /// <summary>What <c>owg doctor</c> says where nothing is wrong: notices.</summary>
    public virtual IReadOnlyList<string> Findings => [];

    /// <summary>Whether pods' packets are inside others on the underlay, where there is no silo.</summary>
    public virtual bool IsEncapsulated => false;

    /// <summary>All pods of the cluster, as kube-proxy and the plugin know them.</summary>
    public virtual string PodRange => CniPlan.PodRange;

    /// <summary>Whose source is replaced on the way to the ClusterIP.</summary>
    public virtual ServiceMasquerade Services => ServiceMasquerade.FromOutside;

    /// <summary>Largest packet of a pod, in bytes.</summary>
    public virtual int PodMtu => 1500;

    /// <summary>The objects of a node, which somebody else keeps; by the path of their collection.</summary>
    public virtual IEnumerable<(string Collection, JsonObject Body)> Objects(NodePlan node) =>
        [(CniObjects.Nodes, CniObjects.Node(node, node.PodCIDR.ToString()))];

    /// <summary>The definitions of these objects.</summary>
    public virtual IEnumerable<JsonObject> Definitions => [];

    /// <summary>Makes what a node has before its first pod.</summary>
    public abstract Task RaiseNodeAsync(CniMachine machine, NodePlan node, CancellationToken token);

    /// <summary>Gives a pod, whose namespace is there, its address and its way.</summary>
    public abstract Task<IPAddress> AddAsync(CniMachine machine, NodePlan node, int slot, CancellationToken token);

    /// <summary>Takes both away; the namespace goes afterwards.</summary>
    public abstract Task RemoveAsync(CniMachine machine, CniPod pod, CancellationToken token);

    /// <summary>Has an address for a pod before there is the pod, where an object says so.</summary>
    public virtual Task AllocateAsync(ApiCluster api, NodePlan node, int slot) => Task.CompletedTask;

    /// <summary>What happens to a node of such a cluster from time to time.</summary>
    public virtual Task DisturbAsync(NodePlan node, CancellationToken token) => Task.CompletedTask;

    /// <inheritdoc/>
    public override string ToString() => Name;
}
