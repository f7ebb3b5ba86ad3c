using System.Globalization;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Our routes are there: whether they have effect is another question, since rules before ours and routes that nobody expects decide too.
/// Pure.
/// </summary>
internal static class WayRules
{
    // One is enough to look into it, and more would not fit a line.
    private const int MaxListed = 3;

    // So many prefixes of one node are asked about.
    private const int MaxOfNode = 16;

    /// <summary>What should become of packets to each prefix of other nodes' pods, by the routes of our table.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="pods">This node's pods.</param>
    /// <param name="routes">The routes of our table as they are.</param>
    public static IReadOnlyList<WayExpectation> Expect(MeshView view, EquatableArray<IPPrefix> pods, EquatableArray<Route> routes)
    {
        // A tunnel lies above the refusal of the same destination, and so comes first; the longest prefix decides.
        routes = RouteOrder.Sort(routes);
        var found = new HashSet<(bool IsIPv6, int Length)>();
        foreach (var route in routes.AsSpan())
        {
            _ = found.Add((route.Destination.IsIPv6, route.Destination.Length));
        }

        var lengths = found.OrderByDescending(prefix => prefix.Length).ToLookup(prefix => prefix.IsIPv6, prefix => prefix.Length);
        var expectations = new List<WayExpectation>();
        foreach (var (destination, nodeName) in RemotePods(view, pods))
        {
            // Of several prefixes of this node each is asked about for some destinations.
            var own = pods.Where(prefix => prefix.IsIPv6 == destination.IsIPv6).ToList();
            if (own.Count > 0 && Find(IPPrefix.Host(PodAddress.Remote(destination))) is { IsThrow: false } route)
            {
                expectations.Add(new WayExpectation(own[expectations.Count % own.Count], destination, nodeName, !route.IsUnreachable));
            }
        }

        return expectations;

        Route? Find(IPPrefix address)
        {
            foreach (var length in lengths[address.IsIPv6])
            {
                if (RouteOrder.FindFirst(routes, address.Shorten(length)) is { } route)
                {
                    return route;
                }
            }

            return null;
        }
    }

    /// <summary>The prefixes of other nodes' pods, as far as they are not this node's too, and whose they are.</summary>
    public static IReadOnlyDictionary<IPPrefix, string> RemotePods(MeshView view, EquatableArray<IPPrefix> pods)
    {
        var own = PrefixSet.Merge(pods);
        var listed = (view.Roster?.Nodes.Values ?? []).Where(node => node.NodeName != view.NodeName && !node.IsExempt)
            .SelectMany(node => Some(node.PodCIDRs).Select(prefix => (prefix, node.NodeName)));
        var announced = view.Others.SelectMany(other => Some(other.AllowedIPs).Select(prefix => (prefix, other.NodeName)));
        var found = new SortedDictionary<IPPrefix, string>();
        foreach (var (prefix, nodeName) in listed.Concat(announced).Where(pair => !PrefixSet.Overlaps(own, pair.prefix)))
        {
            _ = found.TryAdd(prefix, nodeName);
        }

        return found;
    }

    // Of a node with a prefix for each pod a few stand for all: they have the same way, unless somebody has a rule for one pod of another
    // node, and asking about tens of thousands costs seconds.
    private static IEnumerable<IPPrefix> Some(EquatableArray<IPPrefix> prefixes) => prefixes.Count <= MaxOfNode
        ? prefixes
        : Enumerable.Range(0, MaxOfNode).Select(i => prefixes[(int)((long)i * (prefixes.Count - 1) / (MaxOfNode - 1))]);

    /// <summary>Whether a way is none of those that were expected. One that nobody knows is not.</summary>
    public static bool IsWrong(WayExpectation expectation, Way way, DeviceNames names) => way.Fate switch
    {
        WayFate.Leaves => !names.Contains(way.LinkName),
        WayFate.Refused => expectation.IsTunnel,
        _ => false,
    };

    /// <summary>What is wrong, in a sentence: where to, which way, and by which rule.</summary>
    /// <param name="wrong">At least one.</param>
    /// <param name="rules">All rules of the family of the first one.</param>
    /// <param name="table">Where our routes live.</param>
    public static string Describe(IReadOnlyList<WrongWay> wrong, EquatableArray<RuleEntry> rules, RouteTable table)
    {
        var (first, from, way) = wrong[0];
        var listed = string.Join(
            ", ", wrong.Take(MaxListed).Select(item => $"{item.Expectation.Destination} ({item.Expectation.NodeName})"));
        var more = wrong.Count > MaxListed ? string.Create(CultureInfo.InvariantCulture, $" and {wrong.Count - MaxListed} more") : "";
        var fate = way.Fate == WayFate.Refused ? "are refused although there is a tunnel"
            : $"leave through {way.LinkName} {(first.IsTunnel ? "instead of a tunnel" : "although there is no tunnel")}";
        return $"packets of this node's pods to {listed}{more} {fate}{Reason()}; see 'ip route get {first.Address} from {from.Address} iif {from.LinkName}'";

        string Reason()
        {
            if (way.Table == table.Number)
            {
                return string.Create(CultureInfo.InvariantCulture, $": a route of table {table.Number} that is none of ours decides");
            }

            // Which table refused is not told, so then it is the first rule that may have.
            var rule = rules.FirstOrDefault(rule => rule.Priority <= table.RulePriority && rule.Table != RouteTable.Local
                && rule.Table != table.Number && (way.Table == 0 || rule.Table == way.Table)
                && rule.MayDecide(from.Address, from.LinkName, first.Address));
            return rule is null ? "" : string.Create(
                CultureInfo.InvariantCulture, $": rule '{rule}' decides before ours, which has priority {table.RulePriority}");
        }
    }
}
