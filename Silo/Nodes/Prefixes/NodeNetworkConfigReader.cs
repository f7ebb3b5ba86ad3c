// https://github.com/Azure/azure-container-networking, crd/nodenetworkconfig/api/v1alpha and cns/kubecontroller/nodenetworkconfig.
using System.Text.Json;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>
/// Reads what a NodeNetworkConfig assigns. Pure: what cannot be read becomes a fault of the object, never an error, and leaves the rest
/// as it is.
/// </summary>
/// <remarks>
/// What counts depends on how a container of it is assigned:
/// <code>
/// static (overlay)     primaryIP is the prefix
/// static (vnetblock)   primaryIP and every ipAssignments[].ip are prefixes
/// dynamic (vnet)       every ipAssignments[].ip is an address of a pod; primaryIP is not
/// </code>
/// <c>subnetAddressSpace</c> holds the pods of all nodes. IPv6 stands in fields of its own or among the assignments.
/// </remarks>
internal static class NodeNetworkConfigReader
{
    // How many faults are told; a list of assignments may have hundreds.
    private const int MaxFaults = 4;

    private static readonly string[] PrimaryFields = ["primaryIP", "primaryIPV6"];
    private static readonly string[] RangeFields = ["subnetAddressSpace", "subnetAddressSpaceV6"];

    /// <summary>Reads one.</summary>
    /// <param name="source">The object.</param>
    /// <param name="nodeName">The node that it has to be of.</param>
    public static PrefixAnswer Read(NodeNetworkConfig source, string nodeName)
    {
        var owner = source.Metadata.OwnerReferences?.FirstOrDefault(reference => reference is { Kind: "Node" } && reference.Name != nodeName);
        if (source.Metadata.Name != nodeName || owner is not null)
        {
            return PrefixAnswer.Without(
                PrefixSource.NodeNetworkConfig,
                $"the NodeNetworkConfig object '{source.Metadata.Name}' is of the node '{owner?.Name ?? source.Metadata.Name}', not of this one");
        }

        var containers = LenientJson.Elements(LenientJson.Field(source.Status, "networkContainers")).ToList();
        if (containers.Count == 0)
        {
            return PrefixAnswer.Without(PrefixSource.NodeNetworkConfig, "its NodeNetworkConfig object has no network container yet");
        }

        List<string> faults = [];
        List<IPPrefix> prefixes = [];
        List<IPPrefix> ranges = [];
        foreach (var container in containers)
        {
            ReadContainer(container, prefixes, ranges, faults);
        }

        EquatableArray<string> told = faults.Count <= MaxFaults
            ? faults.ToEquatableArray()
            : [.. faults.Take(MaxFaults), FormattableString.Invariant($"and {faults.Count - MaxFaults} more faults")];
        return new(PrefixSource.NodeNetworkConfig)
        {
            Prefixes = PrefixSet.Merge(prefixes),
            PodRanges = PrefixSet.Merge(ranges),
            Faults = told,
            Absence = prefixes.Count > 0 ? null
                : $"its NodeNetworkConfig object {(told.Count > 0 ? string.Join(" and ", told) : "assigns no address yet")}",
        };
    }

    private static void ReadContainer(JsonElement? container, List<IPPrefix> prefixes, List<IPPrefix> ranges, List<string> faults)
    {
        var (mode, type) = (Text(container, "assignmentMode"), Text(container, "type"));
        if (mode is not ("" or "static" or "dynamic"))
        {
            faults.Add($"has a container with the assignmentMode \"{mode}\", of which only static and dynamic are known; it is left out");
            return;
        }

        foreach (var text in RangeFields.Select(field => Text(container, field)).Where(text => text.Length > 0))
        {
            Add(text, "a subnetAddressSpace", isBlock: true, ranges, faults);
        }

        // The definition's defaults are dynamic and vnet. A type that has blocks only is static whatever the mode says.
        var isStatic = mode == "static" || type is "overlay" or "vnetblock";
        if (isStatic)
        {
            foreach (var text in PrimaryFields.Select(field => Text(container, field)).Where(text => text.Length > 0))
            {
                Add(text, "a primaryIP", isBlock: true, prefixes, faults);
            }
        }

        if (!isStatic || type == "vnetblock")
        {
            foreach (var assignment in LenientJson.Elements(LenientJson.Field(container, "ipAssignments")))
            {
                Add(Text(assignment, "ip"), "an assignment", isStatic, prefixes, faults);
            }
        }
    }

    private static void Add(string text, string what, bool isBlock, List<IPPrefix> prefixes, List<string> faults)
    {
        if (TryParse(text) is not { } prefix)
        {
            faults.Add($"has {what} that is {(isBlock ? "no CIDR" : "no address")}: \"{text}\"");
        }
        else if (isBlock && !text.Contains('/'))
        {
            faults.Add($"has {what} that is an address where a CIDR belongs: \"{text}\"");
        }
        else if (!isBlock && prefix != IPPrefix.Host(prefix.Address))
        {
            faults.Add($"has {what} that is a CIDR where an address belongs: \"{text}\"");
        }
        else if (!PrefixArithmetic.IsPodCIDR(prefix))
        {
            faults.Add($"has {what} that is too wide to be believed: {prefix}");
        }
        else
        {
            prefixes.Add(prefix);
        }
    }

    // As Azure's own reader does: bits behind the length do not count.
    private static IPPrefix? TryParse(string text)
    {
        var slash = text.IndexOf('/');
        if (slash < 0 || IPPrefix.TryParse(text, out _))
        {
            return IPPrefix.TryParse(text, out var whole) ? whole : null;
        }

        return IPPrefix.TryParse(text[..slash], out var host) && int.TryParse(text[(slash + 1)..], out var length)
            && length >= 0 && length <= host.Length ? host.Shorten(length) : null;
    }

    private static string Text(JsonElement? parent, string field) => LenientJson.Text(LenientJson.Field(parent, field));
}
