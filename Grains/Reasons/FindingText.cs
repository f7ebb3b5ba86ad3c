using System.Globalization;

namespace Orleans.WireGuard.Grains.Reasons;

/// <summary>Findings in words: what is wrong, and what to do. Pure.</summary>
internal static class FindingText
{
    /// <summary>The code as people see it, such as <c>OWG301</c>.</summary>
    public static string CodeOf(FindingCode code) => string.Create(CultureInfo.InvariantCulture, $"OWG{(int)code}");

    /// <summary>Reads a code: its name, its number, or <c>OWG</c> and its number.</summary>
    public static FindingCode? TryParseCode(string text)
    {
        var name = text.StartsWith("OWG", StringComparison.OrdinalIgnoreCase) ? text[3..] : text;
        return Enum.TryParse<FindingCode>(name, ignoreCase: true, out var code) && Enum.IsDefined(code) ? code : null;
    }

    /// <summary>What is wrong, in one sentence.</summary>
    public static string Describe(Finding finding) => finding.Code switch
    {
        FindingCode.PacketsInClear =>
            $"Pod packets crossed the wire in clear in the last minute: {Value(finding, "left")} left this node and {Value(finding, "arrived")} reached it.",
        FindingCode.PodsOutsidePrefixes =>
            $"{Value(finding, "pods")} of this node's pods or pod networks lie outside of its prefixes ({finding.Subject}), so their traffic is not encrypted.",
        FindingCode.PrefixWithoutPods => $"No local pod has an address in {finding.Subject}, while pods of this node have others.",
        FindingCode.PrefixOfAnotherNode =>
            $"Pods of this node have addresses in a prefix of '{finding.Subject}', where their traffic therefore goes.",
        FindingCode.EncapsulatedByOthers =>
            $"'{finding.Subject}' encapsulates packets by a program, before the routing rules see them: pods' packets in it are not encrypted.",
        FindingCode.RuleBeforeOurs => $"{finding.Subject} comes before ours and leads pods' packets for other nodes past the tunnels.",
        FindingCode.CiliumAgentDeletesDevice =>
            $"A Cilium agent on this node deletes '{finding.Subject}' whenever it starts; the silo makes it again within a second.",
        FindingCode.PodMtuTooLarge =>
            $"Pods send packets of up to {Value(finding, "mtu")} bytes, the tunnel takes {Value(finding, "largest")}, and BPF routing drops larger ones without a message.",
        FindingCode.BpfHostRouting => "Pods' packets are routed by BPF, so netfilter of this node does not see them.",
        FindingCode.RangeHoldsNodes =>
            $"Encryption:ClusterCIDRs has {finding.Subject}, in which nodes have their addresses: packets of pods to other machines in it would be refused.",
        FindingCode.NodeAddressInPodRange =>
            $"This node reaches other nodes' pods by '{finding.Subject}' from the address {Value(finding, "source")}, which lies among the pods': strict mode drops that.",
        FindingCode.ForwardingOff => $"{finding.Subject} packets are not forwarded on this node, so pods reach nobody.",
        FindingCode.SourceCheckStrict =>
            $"rp_filter of '{finding.Subject}' is strict, which drops packets while traffic moves from one device to the other.",
        FindingCode.SentPastNetfilter =>
            $"Packets leave by '{finding.Subject}' past netfilter (BPF, or an offload): {Value(finding, "seen_bytes")} of {Value(finding, "sent_bytes")} bytes were seen, "
            + "and pods' packets in clear among the others are not counted.",
        _ => finding.Code.ToString(),
    };

    /// <summary>What to do, in one sentence.</summary>
    public static string Remedy(Finding finding) => finding.Code switch
    {
        FindingCode.PacketsInClear =>
            "Look at the other findings of both nodes; owg status names the pair, tcpdump on the underlay shows the packets.",
        FindingCode.PodsOutsidePrefixes or FindingCode.PrefixWithoutPods =>
            "Give the node the prefixes that its network plugin really assigns: Nodes:Source=Node, CiliumNode or Static (README has which).",
        FindingCode.PrefixOfAnotherNode =>
            "Find out which of the two nodes' objects is wrong; an address that moved needs a source of prefixes that follows it.",
        FindingCode.EncapsulatedByOthers =>
            "Let Encryption:Encapsulation have its port (Auto, or the number), or use native routing in the network plugin (Cilium: routingMode=native).",
        FindingCode.RuleBeforeOurs => "Delete the rule (ip rule del pref N), or give it a priority behind ours (Routing:RulePriority).",
        FindingCode.CiliumAgentDeletesDevice => "Nothing must be done: traffic is refused meanwhile, not sent in clear.",
        FindingCode.PodMtuTooLarge =>
            $"Set the pods' MTU to {Value(finding, "largest")} in the network plugin, or have it route by the host's stack (Cilium: bpf.hostLegacyRouting=true).",
        FindingCode.BpfHostRouting => "Nothing must be done while the pods' packets fit the tunnel.",
        FindingCode.RangeHoldsNodes => "List ranges that have pods only in Encryption:ClusterCIDRs.",
        FindingCode.NodeAddressInPodRange =>
            "Set Encryption:NodeAddresses to true, or accept that the node itself cannot reach other nodes' pods: list the code in Encryption:Accept.",
        FindingCode.ForwardingOff => "Set net.ipv4.ip_forward=1, net.ipv6.conf.all.forwarding=1 and the setting of the link that is named.",
        FindingCode.SentPastNetfilter =>
            "Have the network plugin route by the host's stack (Cilium: bpf.hostLegacyRouting=true), or look with tcpdump: what goes to other nodes' pods "
            + "must be WireGuard. If it is, list the code in Encryption:Accept.",
        FindingCode.SourceCheckStrict => "Find who sets it (sysctl.d, udev); the silo sets it to 2 again at every resync.",
        _ => "",
    };

    /// <summary>What was seen, in one line.</summary>
    public static string Evidence(Finding finding) => string.Join(", ", finding.Evidence.Select(item => $"{item.Name} {item.Value}"));

    /// <summary>Why a node is not ready.</summary>
    public static string Problem(Finding finding, bool isStrictWithheld) =>
        $"{CodeOf(finding.Code)} {Describe(finding)}{(isStrictWithheld ? " Strict mode is withheld until it is gone or listed in Encryption:Accept." : "")} See owg doctor.";

    private static string Value(Finding finding, string name) => finding.Evidence.FirstOrDefault(item => item.Name == name)?.Value ?? "?";
}
