using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>What a node announces of its entry in the roster: as much as every receiver takes. Pure.</summary>
/// <remarks>
/// Who lists more than fits goes on with the first: addresses in the order of the list, so an InternalIP before an ExternalIP; pod CIDRs
/// with the widest first, which hold the most pods. Half of the places belong to each IP family, as far as it has that many.
/// </remarks>
/// <param name="Endpoints">In order of preference.</param>
/// <param name="AllowedIPs">Sorted.</param>
internal sealed record AnnounceableNode(EquatableArray<IPAddress> Endpoints, EquatableArray<IPPrefix> AllowedIPs)
{
    private const int MaxTold = 3;

    /// <summary>Which addresses are left out; <see langword="null"/> if none is.</summary>
    public NodeProblem? Note { get; private init; }

    /// <summary>
    /// Which pod CIDRs are left out: their pods are reached by no other node. <see langword="null"/> if none is.
    /// </summary>
    public NodeProblem? Problem { get; private init; }

    /// <summary>As much of a node of the roster as fits, and what is left out.</summary>
    public static AnnounceableNode Of(RosterNode node)
    {
        // A zone means something on its own machine only.
        var reachable = node.Addresses.Where(address => address is not { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: not 0 })
            .Distinct().ToList();
        var endpoints = Fit(reachable, address => address.AddressFamily == AddressFamily.InterNetworkV6, PeerAnnouncement.MaxEndpoints)
            .ToEquatableArray();
        var widest = node.PodCIDRs.Distinct().OrderBy(cidr => cidr.Length).ThenBy(cidr => cidr).ToList();
        var allowedIPs = Fit(widest, cidr => cidr.IsIPv6, PeerAnnouncement.MaxAllowedIPs).Order().ToEquatableArray();
        var announced = Fit(widest, cidr => cidr.IsIPv6, AddressAnnouncement.MaxPrefixes).ToList();
        return new AnnounceableNode(endpoints, allowedIPs)
        {
            Note = Tell(
                NodeProblemCode.AddressesLeftOut, node, [.. node.Addresses.Distinct()], endpoints, PeerAnnouncement.MaxEndpoints),
            Problem = Tell(NodeProblemCode.PodCIDRsLeftOut, node, widest, announced, AddressAnnouncement.MaxPrefixes),
        };
    }

    private static IEnumerable<T> Fit<T>(List<T> items, Func<T, bool> isIPv6, int max)
    {
        var sixes = items.Count(isIPv6);
        var room =
            new Dictionary<bool, int> { [true] = Math.Max(max / 2, max - (items.Count - sixes)), [false] = Math.Max(max / 2, max - sixes) };
        return items.Where(item => room[isIPv6(item)]-- > 0);
    }

    private static NodeProblem? Tell<T>(
        NodeProblemCode code, RosterNode node, List<T> listed, IReadOnlyCollection<T> announced, int max)
    {
        var left = listed.Except(announced).ToList();
        return left.Count == 0 ? null : new NodeProblem(
            code,
            [node.Describe(), Text(listed.Count), Text(max), Text(left.Count), .. left.Take(MaxTold).Select(item => item!.ToString()!)]);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
