using System.Globalization;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>Compares what the mesh believes with what the kernel shows. Pure.</summary>
/// <remarks>
/// A mesh whose idea of the pods' addresses is wrong looks healthy from inside: each part does what its own idea says. So this looks at
/// links, addresses, routes and rules of everybody. A finding has to be deserved: what cannot be told for certain gives none.
/// Rules: <c>RealityCheck.Rules.cs</c>.
/// </remarks>
internal static partial class RealityCheck
{
    // How many examples a finding shows.
    private const int MaxExamples = 3;

    // What a WireGuard packet of the largest size cannot carry, and BPF does not tell: bpf_fib_lookup leaves ten bytes to its caller (fib.h
    // of Cilium).
    private const int BpfHeadroom = 10;

    /// <summary>Finds where the kernel shows something else than what the mesh believes.</summary>
    /// <param name="dump">What the kernel shows.</param>
    /// <param name="expected">What the mesh believes.</param>
    /// <param name="now">The moment, for <see cref="Finding.Since"/>.</param>
    /// <returns>Everything that was found; <see cref="FindingCatalogue.Settle"/> drops what other findings explain.</returns>
    public static IEnumerable<Finding> Find(NetworkDump dump, Expectation expected, DateTimeOffset now)
    {
        var look = new Look(dump, expected, LocalPods.Find(dump, expected.UnderlayLinks.ToHashSet()), now);
        return
        [
            .. FindPods(look),
            .. FindEncapsulation(look),
            .. FindRules(look),
            .. FindBpf(look),
            .. FindRanges(look),
            .. FindSettings(look),
        ];
    }

    private static IEnumerable<Finding> FindPods(Look look)
    {
        // Until the prefixes are known there is nothing to compare with; the node is not ready then, and says so.
        if (look.Expected.OwnPrefixes.Count == 0)
        {
            yield break;
        }

        var own = PrefixSet.Merge(look.Expected.OwnPrefixes);
        var strangers = new List<LocalPod>();
        var inside = new List<LocalPod>();
        var elsewhere = new List<(LocalPod Pod, string NodeName)>();
        foreach (var pod in look.Pods)
        {
            if (PrefixSet.Covers(own, pod.Prefix) || (pod.IsNetwork && own.Any(pod.Prefix.Contains)))
            {
                inside.Add(pod);
            }
            else if (look.FindOwner(pod.Prefix) is { } owner)
            {
                elsewhere.Add((pod, owner));
            }
            else
            {
                strangers.Add(pod);
            }
        }

        foreach (var group in elsewhere.GroupBy(pod => pod.NodeName).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            yield return look.Make(FindingCode.PrefixOfAnotherNode, group.Key, Examples(group.Select(pod => pod.Pod)));
        }

        if (strangers.Count > 0)
        {
            yield return look.Make(
                FindingCode.PodsOutsidePrefixes,
                string.Join(", ", look.Expected.OwnPrefixes),
                Examples(strangers).Append(("pods", Count(strangers.Count))).Append(("inside", Count(inside.Count))));
        }

        // A node without pods has nothing to show, and of several prefixes of one family one may be empty.
        foreach (var family in look.Expected.OwnPrefixes.GroupBy(prefix => prefix.IsIPv6))
        {
            if (look.Pods.Count > 0 && !inside.Any(pod => pod.Prefix.IsIPv6 == family.Key))
            {
                yield return look.Make(
                    FindingCode.PrefixWithoutPods, string.Join(", ", family), [("pods", Count(look.Pods.Count)), .. Examples(look.Pods)]);
            }
        }
    }

    private static IEnumerable<Finding> FindEncapsulation(Look look)
    {
        var led = look.Expected.Encapsulation;
        foreach (var link in look.Dump.Links.Where(link => link.IsUp || link.Kind == "openvswitch"))
        {
            // What Open vSwitch packs leaves by such a link of its own.
            if (led is { IsWhole: true } && (link.Kind == "openvswitch" || led.HasPort(link.EncapsulationPort)))
            {
                continue;
            }

            // Each packet's way is chosen by a program, so neither a route nor a rule of ours can have steered the packet inside.
            if (link is { Kind: "vxlan" or "geneve", IsMetadata: true })
            {
                yield return look.Make(
                    FindingCode.EncapsulatedByOthers, link.Name, [
                        ("kind", link.Kind), ("port", Count(link.EncapsulationPort)), ("metadata", "yes")]);
            }
            else if (link.Kind == "openvswitch" && link.Name == "ovs-system")
            {
                yield return look.Make(FindingCode.EncapsulatedByOthers, link.Name, [("kind", link.Kind)]);
            }
        }

        // Cilium's agent removes a device of this name whenever it starts without its own encryption (pkg/wireguard/agent, "ensure the link
        // is deleted").
        if (look.Dump.Links.Any(link => link.Name == "cilium_host")
            && look.Expected.DeviceNames.FirstOrDefault(name => name == "cilium_wg0") is { } device)
        {
            yield return look.Make(FindingCode.CiliumAgentDeletesDevice, device, [("link", "cilium_host")]);
        }
    }

    private static IEnumerable<Finding> FindBpf(Look look)
    {
        foreach (var spot in look.Expected.BlindSpots.Where(spot => !spot.IsDevice))
        {
            yield return look.Make(FindingCode.SentPastNetfilter, spot.Link, Evidence(spot));
        }

        var cables = look.Dump.Links.Where(link => link.IsPeerElsewhere && !look.Expected.UnderlayLinks.Contains(link.Index)).ToList();
        var netkit = cables.FirstOrDefault(link => link.Kind == "netkit");
        var device = look.Expected.BlindSpots.FirstOrDefault(spot => spot.IsDevice);
        if (netkit is null && device is null)
        {
            yield break;
        }

        (string, string)[] evidence = netkit is not null ? [("link", netkit.Name), ("kind", netkit.Kind)] : Evidence(device!);
        yield return look.Make(FindingCode.BpfHostRouting, "", evidence);
        var devices = look.Dump.Links.Where(link => look.Expected.DeviceNames.Contains(link.Name)).ToList();
        var largest = cables.MaxBy(link => link.Mtu);
        if (devices.Count > 0 && largest is not null && largest.Mtu > devices.Min(device => device.Mtu) - BpfHeadroom)
        {
            yield return look.Make(
                FindingCode.PodMtuTooLarge,
                largest.Name,
                [("mtu", Count(largest.Mtu)), ("largest", Count(devices.Min(device => device.Mtu) - BpfHeadroom)), .. evidence]);
        }
    }

    private static (string, string)[] Evidence(BlindSpot spot) =>
        [("link", spot.Link), ("sent_bytes", Count(spot.SentBytes)), ("seen_bytes", Count(spot.SeenBytes))];

    private static IEnumerable<Finding> FindRanges(Look look)
    {
        foreach (var range in look.Expected.PodRanges.Order())
        {
            var nodes = look.Expected.NodeAddresses.Where(range.Contains).ToList();
            if (nodes.Count > 0)
            {
                yield return look.Make(
                    FindingCode.RangeHoldsNodes, range.ToString(), nodes.Take(MaxExamples).Select(node => ("node", node.ToString())));
            }
        }

        // What a program packs does not leave by that link, and has to come through a tunnel as it is.
        if (look.Expected.Encapsulation is { IsWhole: true })
        {
            yield break;
        }

        // Where the node's own packets to remote pods take a link whose address lies among the pods', receivers cannot tell them from a
        // pod's unless they are told.
        var sources = look.Dump.Routes
            .Where(route => route is { Action: RouteAction.Forward, LinkIndex: not 0 }
                && route.Table != look.Expected.Table && look.IsRemote(route.Destination))
            .Select(route => (route.LinkIndex, Source: route.PreferredSource ?? look.AddressOf(route.LinkIndex, route.Destination.IsIPv6)))
            .Where(way => way.Source is not null && look.IsPodAddress(way.Source) && !look.Expected.ToldAddresses.Contains(way.Source))
            .Distinct();
        foreach (var way in sources.GroupBy(way => way.LinkIndex))
        {
            var name = look.NameOf(way.Key);
            yield return look.Make(
                FindingCode.NodeAddressInPodRange, name, way.Take(MaxExamples).Select(source => ("source", source.Source!.ToString())));
        }
    }

    private static IEnumerable<Finding> FindSettings(Look look)
    {
        var devices = look.Dump.Links.Where(link => look.Expected.DeviceNames.Contains(link.Name)).ToList();
        var pods = look.Pods.Select(pod => pod.LinkName).ToHashSet(StringComparer.Ordinal);
        var off = look.Dump.Links.Where(link => link.IsForwardingIPv4 == false && (pods.Contains(link.Name) || devices.Contains(link)))
            .ToList();
        if (off.Count > 0 && look.Expected.OwnPrefixes.Any(prefix => !prefix.IsIPv6))
        {
            yield return look.Make(FindingCode.ForwardingOff, "IPv4", off.Take(MaxExamples).Select(link => ("link", link.Name)));
        }

        if (look.Dump.Forwarding.IsIPv6 == false && look.Expected.OwnPrefixes.Any(prefix => prefix.IsIPv6))
        {
            yield return look.Make(FindingCode.ForwardingOff, "IPv6", [("setting", "net.ipv6.conf.all.forwarding")]);
        }

        // The kernel takes the larger of the two; 1 is strict, 2 is loose (ip-sysctl).
        foreach (var device in devices.Where(
            device => device.SourceCheck is { } own && Math.Max(own, look.Dump.Forwarding.SourceCheck) == 1))
        {
            yield return look.Make(FindingCode.SourceCheckStrict, device.Name, [("rp_filter", "1")]);
        }
    }

    private static IEnumerable<(string Name, string Value)> Examples(IEnumerable<LocalPod> pods) =>
        pods.Take(MaxExamples).Select(pod => ("pod", $"{pod.Prefix} at {pod.LinkName}"));

    private static string Count(long count) => count.ToString(CultureInfo.InvariantCulture);
}
