using System.Net;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Findings;

/// <content>Rules of others that come before ours, and what all checks look at.</content>
internal static partial class RealityCheck
{
    private static IEnumerable<Finding> FindRules(Look look)
    {
        var pods = look.Pods.Select(pod => pod.LinkName).ToHashSet(StringComparer.Ordinal);
        foreach (var rule in look.Dump.Rules)
        {
            if (rule.Priority >= look.Expected.RulePriority || rule.IsNarrowed || rule.Protocol == RouteTable.Protocol
                || rule.Table == look.Expected.Table || rule.Table == RouteTable.Local
                || (rule.IncomingLink.Length > 0 && !pods.Contains(rule.IncomingLink))
                || (rule.Source is { } source && !look.Expected.OwnPrefixes.Any(source.Overlaps))
                || (rule.Destination is { } destination && !look.IsRemote(destination)))
            {
                continue;
            }

            if (rule.IsRefusal)
            {
                yield return Describe(rule, ("action", "refuse"));
            }
            else if (rule.IsLookup && look.FindWay(rule) is { } route)
            {
                yield return Describe(rule, ("route", $"{route.Destination} dev {look.NameOf(route.LinkIndex)} table {route.Table}"));
            }
        }

        Finding Describe(RuleEntry rule, (string, string) what) => look.Make(
            FindingCode.RuleBeforeOurs,
            FormattableString.Invariant($"{(rule.IsIPv6 ? "IPv6" : "IPv4")} rule {rule.Priority}"),
            [("rule", rule.ToString()), what]);
    }

    /// <summary>What is looked at, with the indexes that keep a look at thousands of routes linear.</summary>
    private sealed class Look
    {
        private readonly EquatableArray<IPPrefix> _remote;
        private readonly EquatableArray<IPPrefix> _pods;
        private readonly PrefixIndex _owners;
        private readonly Dictionary<int, string> _names;
        private readonly ILookup<int, IPAddress> _addresses;
        private readonly ILookup<(uint Table, bool IsIPv6), RouteEntry> _remoteRoutes;
        private readonly DateTimeOffset _now;

        public Look(NetworkDump dump, Expectation expected, IReadOnlyList<LocalPod> pods, DateTimeOffset now)
        {
            (Dump, Expected, Pods, _now) = (dump, expected, pods, now);
            _remote = PrefixSet.Merge(expected.RemotePrefixes.Select(remote => remote.Prefix));
            _pods = PrefixSet.Merge(expected.OwnPrefixes.Concat(_remote));
            _owners = PrefixIndex.Of(expected.RemotePrefixes);
            _names = dump.Links.ToDictionary(link => link.Index, link => link.Name);
            _addresses = dump.Addresses.ToLookup(address => address.LinkIndex, address => address.Address);
            _remoteRoutes = dump.Routes.Where(route => IsRemote(route.Destination))
                .ToLookup(route => (route.Table, route.Destination.IsIPv6));
        }

        public NetworkDump Dump { get; }

        public Expectation Expected { get; }

        public IReadOnlyList<LocalPod> Pods { get; }

        public Finding Make(FindingCode code, string subject, IEnumerable<(string Name, string Value)> evidence) =>
            FindingCatalogue.Make(code, subject, _now, evidence);

        /// <summary>The other node that has all of a prefix.</summary>
        public string? FindOwner(IPPrefix prefix) =>
            _owners.FindOverlap(prefix, "") is { } owner && owner.Prefix.Contains(prefix) ? owner.NodeName : null;

        /// <summary>Whether a prefix shares an address with another node's pods.</summary>
        public bool IsRemote(IPPrefix prefix) => PrefixSet.Overlaps(_remote, prefix);

        public bool IsPodAddress(IPAddress address) => PrefixSet.Covers(_pods, IPPrefix.Host(address));

        public string NameOf(int index) => _names.GetValueOrDefault(index, "?");

        public IPAddress? AddressOf(int linkIndex, bool isIPv6) => _addresses[linkIndex].FirstOrDefault(
            address => address.AddressFamily == (isIPv6
                ? System.Net.Sockets.AddressFamily.InterNetworkV6
                : System.Net.Sockets.AddressFamily.InterNetwork)
                && !address.IsIPv6LinkLocal);

        /// <summary>The route by which a rule would take packets for another node's pods; the longest one if there are several.</summary>
        public RouteEntry? FindWay(RuleEntry rule) => _remoteRoutes[(rule.Table, rule.IsIPv6)]
            .Where(route => route.Action != RouteAction.Throw
                && route.Destination.Length > (rule.SuppressedLength ?? -1)
                && (rule.Destination is not { } destination || destination.Overlaps(route.Destination)))
            .MaxBy(route => route.Destination.Length);
    }
}
