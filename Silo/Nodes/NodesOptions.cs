namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Where the list of nodes comes from.</summary>
public enum NodeSource
{
    /// <summary>
    /// The configuration if <see cref="NodesOptions.Static"/> lists nodes or no API server is known; else CiliumNode if one of those
    /// objects is this node, else Node; decided again when that changes. The default.
    /// </summary>
    Auto,

    /// <summary>CiliumNode objects (cilium.io/v2): pod CIDRs as Cilium's own allocation has them.</summary>
    CiliumNode,

    /// <summary>Node objects (v1): pod CIDRs as the controller manager assigns them.</summary>
    Node,

    /// <summary>The configuration; nothing is asked of Kubernetes.</summary>
    Static,
}

/// <summary>What tells a node which addresses its own pods have.</summary>
public enum PrefixSource
{
    /// <summary>
    /// The first of the others, in this order, that has something to tell and that the kernel of the node does not contradict. Of
    /// CiliumNode and Node the one comes first that lists the nodes. The default.
    /// </summary>
    Auto,

    /// <summary>The node's NodeNetworkConfig object (acn.azure.com/v1alpha), where Azure assigns pods their addresses.</summary>
    NodeNetworkConfig,

    /// <summary>The node's CiliumNode object (cilium.io/v2), where Cilium does.</summary>
    CiliumNode,

    /// <summary>The node's Node object (v1), where the controller manager does.</summary>
    Node,

    /// <summary>Routes and links of the node's kernel, within <see cref="NodesOptions.PodRanges"/>.</summary>
    Kernel,

    /// <summary>The node's entry in <see cref="NodesOptions.Static"/>.</summary>
    Static,
}

/// <summary>Who the nodes of the mesh are (section <c>Nodes</c>).</summary>
public sealed class NodesOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Nodes";

    /// <summary>Where the list of nodes comes from. Default: <see cref="NodeSource.Auto"/>.</summary>
    [Since("0.1")]
    public NodeSource Source { get; set; } = NodeSource.Auto;

    /// <summary>
    /// Every node of the mesh, this one included, the same list on all of them. Empty with a source in Kubernetes. A change of the file is
    /// followed while the silo runs.
    /// </summary>
    [Since("0.1")]
    public IList<StaticNodeOptions> Static { get; } = [];

    /// <summary>
    /// What tells a node which addresses its own pods have. Default: <see cref="PrefixSource.Auto"/>. Read at the start.
    /// </summary>
    [Since("0.1")]
    public PrefixSource Prefixes { get; set; } = PrefixSource.Auto;

    /// <summary>
    /// Prefixes that hold pods of the cluster and nothing else, whichever node has them, such as <c>10.244.0.0/16</c>. Not shorter than /8,
    /// IPv6 /16. Default: none, which takes what the source of the prefixes says. Read at the start.
    /// </summary>
    [Since("0.1")]
    public IList<string> PodRanges { get; } = [];

    /// <summary>
    /// Label selectors of nodes on which no silo can run, each as <c>kubectl get --selector</c> takes it; a node that matches one of them
    /// is meant. Default: <see langword="null"/>, which is <c>kubernetes.io/os=windows</c> and <c>type=virtual-kubelet</c>; an empty list is no
    /// node. Read at the start.
    /// </summary>
    [Since("0.1")]
    public IList<string>? Exempt { get; set; }

    /// <summary>
    /// Pause between two complete lists of a Kubernetes source, although the watch says it missed nothing; up to a tenth longer, so that
    /// nodes do not list together. Default: 10 minutes. Range: 1 minute to 1 day.
    /// </summary>
    [Since("0.1")]
    public TimeSpan RelistPeriod { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Shortest pause between two writes of our own annotation, whoever keeps changing it. Default: 4 seconds: a forged key is put right
    /// within 5 s, and a quarrel with another writer costs no more than that. Range: 1 second to 1 minute.
    /// </summary>
    [Since("0.1")]
    public TimeSpan AnnotationInterval { get; set; } = TimeSpan.FromSeconds(4);
}

/// <summary>A node of a static roster.</summary>
public sealed class StaticNodeOptions
{
    /// <summary>The node's name. No default.</summary>
    [Since("0.1")]
    public string Name { get; set; } = "";

    /// <summary>Underlay addresses in order of preference, IPv4 or IPv6. At least one; no default.</summary>
    [Since("0.1")]
    public IList<string> Addresses { get; } = [];

    /// <summary>The node's pod CIDRs, such as <c>10.244.1.0/24</c>. They overlap no other node's. May be empty.</summary>
    [Since("0.1")]
    public IList<string> PodCIDRs { get; } = [];
}
