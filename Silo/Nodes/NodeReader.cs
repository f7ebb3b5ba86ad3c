using System.Net;
using System.Text.Json;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>
/// Reads Node and CiliumNode objects into records. Pure: what cannot be read becomes a problem of that node, never an error.
/// </summary>
internal static class NodeReader
{
    /// <summary>The annotation that carries a node's active public key, as Cilium names it.</summary>
    public const string PublicKeyAnnotation = "network.cilium.io/wg-pub-key";

    /// <summary>Reads one object.</summary>
    /// <param name="source">The object.</param>
    /// <param name="kind">What it is: a Node or a CiliumNode.</param>
    /// <param name="exempt">Which nodes can run no silo, by their labels; nobody if not given.</param>
    /// <remarks>
    /// That it has no pod CIDR is no problem of the object: what the pods of a node have, another source may know.
    /// </remarks>
    public static NodeRecord Read(NodeObject source, ApiResource kind, IReadOnlyList<LabelSelector>? exempt = null)
    {
        List<string> problems = [];
        var addresses = Addresses(source, problems);
        var prefixes = PodCIDRs(source, problems);
        if (addresses.Count == 0)
        {
            problems.Add("has no InternalIP or ExternalIP");
        }

        var pool = PoolAddresses(source.Spec?.Ipam, problems);
        return new(
            source.Metadata.Name ?? string.Empty,
            source.Metadata.Uid ?? string.Empty,
            addresses.ToEquatableArray(),
            prefixes.ToEquatableArray(),
            source.Metadata.Annotations?.GetValueOrDefault(PublicKeyAnnotation),
            problems.ToEquatableArray())
        {
            Kind = kind.Kind,
            CreatedAt = CreatedAt(source.Metadata),
            PoolAddresses = pool,
            IsExempt = exempt?.Any(selector => selector.Matches(source.Metadata.Labels)) == true,
        };
    }

    private static DateTimeOffset? CreatedAt(ObjectMetadata metadata) =>
        metadata.Others?.TryGetValue("creationTimestamp", out var text) == true
            && text.ValueKind == JsonValueKind.String && text.TryGetDateTimeOffset(out var time)
            ? time : null;

    private static List<IPAddress> Addresses(NodeObject source, List<string> problems)
    {
        List<IPAddress> addresses = [];
        var listed = (source.Spec?.Addresses ?? []).Concat(source.Status?.Addresses ?? []).ToList();
        foreach (var type in (string[])["InternalIP", "ExternalIP"])
        {
            foreach (var each in listed.Where(address => address.Type == type))
            {
                var text = each.IP ?? each.Address;
                if (!IPAddress.TryParse(text, out var address))
                {
                    problems.Add($"has an {type} that is no address: \"{text}\"");
                }
                else if (!addresses.Contains(address))
                {
                    addresses.Add(address);
                }
            }
        }

        return addresses;
    }

    private static List<IPPrefix> PodCIDRs(NodeObject source, List<string> problems)
    {
        IEnumerable<string> texts = source.Spec?.Ipam is { } ipam
            ? [.. ipam.PodCIDRs ?? [], .. AllocatedCIDRs(ipam.Pools)]
            : source.Spec?.PodCIDRs ?? [];
        if (!texts.Any() && source.Spec?.PodCIDR is { Length: > 0 } single)
        {
            texts = [single];
        }

        SortedSet<IPPrefix> prefixes = [];
        foreach (var text in texts)
        {
            if (!IPPrefix.TryParse(text, out var prefix))
            {
                problems.Add($"has a pod CIDR that is none: \"{text}\"");
            }
            else if (!PrefixArithmetic.IsPodCIDR(prefix))
            {
                problems.Add($"has a pod CIDR that is too wide for the pods of one node and is ignored: {prefix}");
            }
            else
            {
                prefixes.Add(prefix);
            }
        }

        return [.. prefixes];
    }

    // "pools": { "allocated": [{ "pool": "default", "cidrs": ["10.10.0.0/24"] }] }
    private static IEnumerable<string> AllocatedCIDRs(JsonElement? pools) =>
        from pool in LenientJson.Elements(LenientJson.Field(pools, "allocated"))
        from text in LenientJson.Elements(LenientJson.Field(pool, "cidrs"))
        select LenientJson.Text(text);

    // "pool": { "10.0.0.7": { "resource": "eni-1" } }
    private static EquatableArray<IPPrefix> PoolAddresses(CiliumIpam? ipam, List<string> problems)
    {
        SortedSet<IPPrefix> addresses = [];
        foreach (var text in LenientJson.Names(ipam?.Pool))
        {
            if (IPPrefix.TryParse(text, out var prefix) && prefix == IPPrefix.Host(prefix.Address))
            {
                addresses.Add(prefix);
            }
            else
            {
                problems.Add($"has an address in its pool that is none: \"{text}\"");
            }
        }

        return addresses.ToEquatableArray();
    }
}
