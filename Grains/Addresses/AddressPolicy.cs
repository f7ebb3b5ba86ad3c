using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>By what a receiver judges prefixes: who the nodes are, and where pods can be. Immutable.</summary>
internal sealed class AddressPolicy
{
    // No node has more pods than there are addresses in these.
    private const int ShortestIPv4 = 8;
    private const int ShortestIPv6 = 32;

    private readonly PrefixIndex _named;
    private readonly PrefixIndex _nodes;
    private readonly EquatableArray<IPPrefix> _podRanges;
    private readonly bool _isRosterBelieved;
    private readonly bool _isRosterKnown;

    /// <summary>Makes one.</summary>
    /// <param name="roster">Who the nodes are, divided; <see langword="null"/> while that is unknown.</param>
    /// <param name="podRanges">Prefixes that hold all pods; merged, empty if nobody tells.</param>
    /// <param name="isRosterBelieved">Whether the roster tells what the nodes' pods have.</param>
    public AddressPolicy(NodeRoster? roster, EquatableArray<IPPrefix> podRanges, bool isRosterBelieved)
    {
        (_podRanges, _isRosterBelieved, _isRosterKnown) = (podRanges, isRosterBelieved, roster is not null);
        var nodes = roster?.Nodes.Values ?? [];
        _named = PrefixIndex.Of(
            isRosterBelieved ? nodes.SelectMany(node => node.PodCIDRs.Select(cidr => (cidr, node.NodeName))) : []);
        _nodes = PrefixIndex.Of(nodes.SelectMany(node => node.Addresses.Select(address => (IPPrefix.Host(address), node.NodeName))));
    }

    /// <summary>Nothing is known.</summary>
    public static AddressPolicy Unknown { get; } = new(null, [], isRosterBelieved: false);

    /// <summary>Whether the roster itself gives a prefix to a node.</summary>
    public bool IsNamed(string nodeName, IPPrefix prefix) => _named.IsHeldBy(prefix, nodeName);

    /// <summary>Whether a prefix lies in the ranges of pods; not if nobody tells them.</summary>
    public bool IsInPodRanges(IPPrefix prefix) => PrefixSet.Covers(_podRanges, prefix);

    /// <summary>Why a prefix cannot be that of a node's pods, whatever others claim; <see langword="null"/> if it can.</summary>
    public HeldBackPrefix? FindFault(string nodeName, IPPrefix prefix)
    {
        if (IsNamed(nodeName, prefix))
        {
            return null;
        }

        if (prefix.Length < (prefix.IsIPv6 ? ShortestIPv6 : ShortestIPv4))
        {
            return HeldBack(HeldBackReason.TooWide);
        }

        if (_named.FindOverlap(prefix, nodeName) is var (block, owner))
        {
            return HeldBack(HeldBackReason.InBlockOfAnotherNode) with { OtherNode = owner, OtherPrefix = block };
        }

        if (_nodes.FindOverlap(prefix, "") is var (address, node))
        {
            return HeldBack(HeldBackReason.AddressOfNode) with { OtherNode = node, OtherPrefix = address };
        }

        return _podRanges.Count > 0
            ? PrefixSet.Covers(_podRanges, prefix) ? null : HeldBack(HeldBackReason.OutsidePodRanges)
            : _isRosterBelieved && _isRosterKnown ? HeldBack(HeldBackReason.NotInRoster)
            : null;

        HeldBackPrefix HeldBack(HeldBackReason reason) => new(nodeName, prefix, reason);
    }
}
