using System.Globalization;
using System.Net;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>What the clusters of the zoo have in common: names, addresses and how many pods.</summary>
internal static class CniPlan
{
    /// <summary>Pods that live from the first moment to the last.</summary>
    public const int SteadyPods = 20;

    /// <summary>Where pods answer connections, and nodes. No silo listens there.</summary>
    public const int PodPort = 9080;

    /// <summary>Names, nodes and the underlay; of its own, so that another mesh may run beside it.</summary>
    public static MeshPlan Mesh { get; } = new("owgz", 3, 113, 233);

    /// <summary>The cluster's pods, where they have a network of their own.</summary>
    public static string PodRange { get; } = Mesh.PodNetwork.ToString();

    /// <summary>The nodes' network, in which some clusters have their pods too.</summary>
    public static string NodeRange { get; } = Mesh.Underlay.ToString();

    /// <summary>Of <see cref="SteadyPods"/>, those of a node: the first nodes have one more.</summary>
    public static int SteadyPodsOf(NodePlan node) => (SteadyPods + Mesh.Nodes.Count - node.Number) / Mesh.Nodes.Count;

    /// <summary>The nodes but for one.</summary>
    public static IEnumerable<NodePlan> Others(NodePlan node) => Mesh.Nodes.Where(other => other != node);

    /// <summary>The namespace of a pod. It is named as the topology names pods, and is removed with it.</summary>
    public static string NamespaceOf(NodePlan node, int slot) =>
        string.Create(CultureInfo.InvariantCulture, $"{Mesh.Prefix}-pod-{NumberOf(node, slot)}");

    /// <summary>A number that no other pod of the cluster has.</summary>
    public static int NumberOf(NodePlan node, int slot) => (node.Number * 100) + slot;

    /// <summary>The address at a place of a node's own pod network.</summary>
    public static IPAddress AddressOf(NodePlan node, int slot)
    {
        var bytes = node.PodCIDR.BaseAddress.GetAddressBytes();
        bytes[3] = (byte)(10 + slot);
        return new IPAddress(bytes);
    }
}
