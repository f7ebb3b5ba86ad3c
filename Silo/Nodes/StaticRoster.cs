using System.Net;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Reads a roster from configuration. Pure.</summary>
internal static class StaticRoster
{
    /// <summary>Parses the list.</summary>
    /// <param name="options">What is configured.</param>
    /// <param name="localName">This node's name, which must be in it.</param>
    /// <param name="failures">Every fault: what was expected, what came, what to do.</param>
    /// <returns>The roster; <see langword="null"/> if there are faults.</returns>
    public static NodeRoster? TryParse(NodesOptions options, string localName, out IReadOnlyList<string> failures)
    {
        var faults = new List<string>();
        failures = faults;
        var nodes = new Dictionary<string, RosterNode>(StringComparer.Ordinal);
        for (var i = 0; i < options.Static.Count; i++)
        {
            var node = Parse(options.Static[i], $"Nodes:Static:{i}", faults);
            if (!nodes.TryAdd(node.NodeName, node))
            {
                faults.Add($"Nodes:Static:{i}:Name '{node.NodeName}' is listed twice; every node has one entry.");
            }
        }

        if (options.Static.Count == 0)
        {
            faults.Add("Nodes:Static is empty; list every node of the mesh with its Name, Addresses and PodCIDRs.");
        }
        else if (localName.Length > 0 && !nodes.ContainsKey(localName))
        {
            faults.Add(
                $"Node:Name '{localName}' is not in Nodes:Static, which lists {Names(nodes.Keys)}; correct the name or add the node.");
        }

        if (NodeRoster.FindOverlap(nodes.Values) is { } overlap)
        {
            var (first, firstCIDR, second, secondCIDR) = overlap;
            faults.Add($"Pod CIDR {firstCIDR} of '{first.NodeName}' overlaps {secondCIDR} of '{second.NodeName}'; every pod address belongs to one node.");
        }

        return faults.Count == 0 ? NodeRoster.Of(nodes.Values) : null;
    }

    private static RosterNode Parse(StaticNodeOptions options, string path, List<string> faults)
    {
        // The binder sets null where the file says null.
        var name = options.Name ?? "";
        if (!NodeNameRule.IsValid(name))
        {
            faults.Add($"{path}:Name '{name}' is not a node name; {NodeNameRule.Description}.");
        }

        if (options.Addresses.Count is 0 or > PeerAnnouncement.MaxEndpoints)
        {
            faults.Add($"{path}:Addresses has {options.Addresses.Count} entries; give 1 to {PeerAnnouncement.MaxEndpoints} IP addresses by which other nodes reach this one.");
        }

        var addresses = new List<IPAddress>();
        foreach (var text in options.Addresses)
        {
            if (IPPrefix.TryParse(text, out _) && IPAddress.TryParse(text, out var address))
            {
                addresses.Add(address);
            }
            else
            {
                faults.Add($"{path}:Addresses: '{text}' is not an IP address; give one such as 192.168.100.1 or fd00::1.");
            }
        }

        var podCIDRs = new List<IPPrefix>();
        foreach (var text in options.PodCIDRs)
        {
            try
            {
                podCIDRs.Add(IPPrefix.Parse(text ?? ""));
                if (!PrefixArithmetic.IsPodCIDR(podCIDRs[^1]))
                {
                    faults.Add(
                        $"{path}:PodCIDRs: {text} is too wide for the pods of one node; give the node's own range, such as 10.244.1.0/24.");
                }
            }
            catch (FormatException e)
            {
                faults.Add($"{path}:PodCIDRs: {e.Message}");
            }
        }

        return new RosterNode(name, addresses.ToEquatableArray(), podCIDRs.Order().ToEquatableArray()) { Kind = "entry" };
    }

    private static string Names(IEnumerable<string> names)
    {
        const int MaxListed = 10;
        var all = names.Order(StringComparer.Ordinal).ToList();
        return string.Join(", ", all.Take(MaxListed)) + (all.Count > MaxListed ? $" and {all.Count - MaxListed} more" : "");
    }
}
