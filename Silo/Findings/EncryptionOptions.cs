using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>What happens to pod traffic between nodes for which there is no tunnel.</summary>
public enum EncryptionMode
{
    /// <summary>It is refused, and what arrives in clear is dropped.</summary>
    Strict,

    /// <summary>It goes the node's other ways in clear: while a mesh is rolled out node by node.</summary>
    Permissive,
}

/// <summary>What may travel in clear (section <c>Encryption</c>). A change of the file is followed at the next resync.</summary>
public sealed class EncryptionOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Encryption";

    /// <summary>Default: <see cref="EncryptionMode.Strict"/>.</summary>
    [Since("0.1")]
    public EncryptionMode Mode { get; set; } = EncryptionMode.Strict;

    /// <summary>
    /// Prefixes that hold the pods of the whole cluster, such as <c>10.244.0.0/16</c>. In strict mode a destination inside them that no
    /// node of the roster explains is refused too. Node addresses inside them stay reachable. Default: none, so that only the pod CIDRs of
    /// known nodes are refused.
    /// </summary>
    [Since("0.1")]
    public IList<string> ClusterCIDRs { get; } = [];

    /// <summary>
    /// Whether strict mode drops packets between pods of different nodes that came in clear, or would leave by another device than ours
    /// whatever rule or route sends them there, by a table of nftables. Default: <see langword="true"/>. Where the kernel has no nf_tables,
    /// <see langword="false"/> leaves the refusals of our routing table alone.
    /// </summary>
    [Since("0.1")]
    public bool DropPlaintext { get; set; } = true;

    /// <summary>
    /// Whether packets of pods to the other nodes themselves take the tunnels as well, while those work, and packets that come out of a
    /// tunnel may have a node's address: a Service that masquerades, or a NodePort, is encrypted and works then. Without a tunnel they go
    /// the node's other ways, in strict mode too. Default: <see langword="true"/>.
    /// </summary>
    [Since("0.1")]
    public bool NodeAddresses { get; set; } = true;

    /// <summary>
    /// Which packets of the node's own data plane take the tunnels as it has packed them: where a program packs pods' packets before any
    /// rule has seen them, as in Cilium's tunnel mode, no other way leads them there. <c>Auto</c>: those of the node's VXLAN and Geneve
    /// links. <c>Off</c>: none. Else a list of at most four UDP ports and <c>ipip</c>, such as <c>8472, ipip</c>. It holds between nodes
    /// that both name a port. Default: <c>Auto</c>.
    /// </summary>
    [Since("0.1")]
    public string Encapsulation { get; set; } = "Auto";

    /// <summary><see cref="Encapsulation"/> as it was read; what is none is left to the validator.</summary>
    internal EncapsulationChoice EncapsulationChoice =>
        EncapsulationChoice.TryParse(Encapsulation) ?? new EncapsulationChoice(IsAuto: false, []);

    /// <summary>
    /// Findings of <c>owg doctor</c> that are known and accepted, such as <c>OWG310</c>: strict mode comes into force in spite of them, and
    /// the node is ready. They stay visible. Default: none.
    /// </summary>
    [Since("0.1")]
    public IList<string> Accept { get; } = [];

    /// <summary><see cref="Accept"/> as codes; what is none is left to the validator.</summary>
    internal IReadOnlySet<FindingCode> AcceptedFindings => Accept.Select(FindingText.TryParseCode).OfType<FindingCode>().ToHashSet();
}
