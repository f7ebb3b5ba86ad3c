namespace Orleans.WireGuard;

/// <summary>
/// Something that keeps pod traffic from being encrypted, or that would cut it. <c>owg doctor</c> shows each as <c>OWG</c> and its number.
/// Numbers are for ever.
/// </summary>
public enum FindingCode
{
    /// <summary>Pod packets left this node, or reached it, in clear.</summary>
    PacketsInClear = 231,

    /// <summary>Local pods have addresses that none of this node's prefixes holds, so their traffic is not encrypted.</summary>
    PodsOutsidePrefixes = 301,

    /// <summary>One of this node's prefixes has no local pod, while other addresses have some.</summary>
    PrefixWithoutPods = 302,

    /// <summary>A local pod has an address in a prefix of another node, to which its packets are therefore sent.</summary>
    PrefixOfAnotherNode = 303,

    /// <summary>A data plane encapsulates packets by a program, before the routing rules see them.</summary>
    EncapsulatedByOthers = 304,

    /// <summary>A routing rule that comes before ours leads pods' packets for other nodes elsewhere.</summary>
    RuleBeforeOurs = 305,

    /// <summary>A Cilium agent runs here that deletes a device of our name whenever it starts.</summary>
    CiliumAgentDeletesDevice = 306,

    /// <summary>Pods send larger packets than the device carries, and where they are routed by BPF nobody tells them.</summary>
    PodMtuTooLarge = 307,

    /// <summary>Pods' packets are routed by BPF, so netfilter does not see them.</summary>
    BpfHostRouting = 308,

    /// <summary>A configured range of pods holds addresses of nodes, so packets to other machines in it would be refused.</summary>
    RangeHoldsNodes = 309,

    /// <summary>This node talks to other nodes' pods from an address that looks like a pod's, which strict mode drops.</summary>
    NodeAddressInPodRange = 310,

    /// <summary>This node does not forward packets.</summary>
    ForwardingOff = 311,

    /// <summary>The source check of a device of ours is strict and drops packets while traffic moves between the two.</summary>
    SourceCheckStrict = 312,

    /// <summary>
    /// Packets leave past netfilter by a link to the other nodes, so that the witness cannot count those in clear among them.
    /// </summary>
    SentPastNetfilter = 313,
}

/// <summary>How bad a finding is.</summary>
public enum FindingSeverity
{
    /// <summary>Worth knowing.</summary>
    Notice,

    /// <summary>Costs packets, or will.</summary>
    Warning,

    /// <summary>Traffic is not encrypted, or strict mode would cut it.</summary>
    Error,
}

/// <summary>One finding of a node about itself.</summary>
/// <param name="Code">What was found.</param>
/// <param name="Severity">How bad it is.</param>
/// <param name="Subject">What it is about, such as a prefix or a link; with <paramref name="Code"/> it names the finding.</param>
/// <param name="Evidence">What was seen.</param>
/// <param name="Since">When it was first seen, by the silo's clock; it stays until the finding has gone.</param>
[GenerateSerializer, Immutable, Alias("owg.Finding")]
public sealed record Finding(
    [property: Id(0)] FindingCode Code,
    [property: Id(1)] FindingSeverity Severity,
    [property: Id(2)] string Subject,
    [property: Id(3)] EquatableArray<FindingEvidence> Evidence,
    [property: Id(4)] DateTimeOffset Since);

/// <summary>One thing that was seen.</summary>
/// <param name="Name">What it is, such as <c>pod</c>, <c>link</c> or <c>packets</c>.</param>
/// <param name="Value">The value.</param>
[GenerateSerializer, Immutable, Alias("owg.FindingEvidence")]
public sealed record FindingEvidence([property: Id(0)] string Name, [property: Id(1)] string Value);
