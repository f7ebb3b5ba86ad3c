using System.Runtime.InteropServices;

namespace Orleans.WireGuard.Grains;

/// <summary>Compares what every node holds of every other with what that other really uses.</summary>
internal static class KeyAgreementMatrix
{
    /// <summary>One entry for each ordered pair of nodes and slot in use, by node, holder and slot.</summary>
    /// <remarks>
    /// A slot is in use between two nodes if both devices have a key there; an idle one has neither key nor peers and is no disagreement.
    /// Where that cannot be told, because a node gave no answer or the two have no slot in common, every slot that anybody uses is unknown.
    /// Takes time in proportion to what comes in and goes out: a cell is one look-up, not a search through the holder's peers.
    /// </remarks>
    /// <param name="nodes">Every node, those that did not answer included.</param>
    /// <param name="names">How node names are compared; <see langword="null"/> for ordinal.</param>
    public static EquatableArray<KeyAgreement> Build(IReadOnlyList<MeshNode> nodes, IEqualityComparer<string>? names = null)
    {
        names ??= StringComparer.Ordinal;
        var used = nodes.ToDictionary(node => node.NodeName, UsedKeys, names);
        var sides = nodes.Select(node => new Side(node.NodeName, used[node.NodeName], HeldPeers(node, used, names))).ToList();
        List<Slot> inUse = [.. sides.SelectMany(side => side.Used.Keys).Distinct().Order()];
        return (from node in sides
                from holder in sides
                where !ReferenceEquals(node, holder)
                from slot in node.Used.Keys.Any(holder.Used.ContainsKey) ? node.Used.Keys.Where(holder.Used.ContainsKey) : inUse
                select Compare(node, holder, slot)).ToEquatableArray();
    }

    // Of each slot in which the node has a key, in order.
    private static SortedList<Slot, PublicKey> UsedKeys(MeshNode node)
    {
        var keys = new SortedList<Slot, PublicKey>(Slot.Count);
        foreach (var device in node.Status?.Devices ?? [])
        {
            if (device.PublicKey is { } key)
            {
                keys.TryAdd(device.Slot, key);
            }
        }

        return keys;
    }

    // While an old key is on its way out a holder may have two peers of one node; the one in use is the one that counts.
    private static Dictionary<Slot, Dictionary<string, PeerStatus>> HeldPeers(
        MeshNode holder, Dictionary<string, SortedList<Slot, PublicKey>> used, IEqualityComparer<string> names)
    {
        var held = new Dictionary<Slot, Dictionary<string, PeerStatus>>(Slot.Count);
        foreach (var device in (holder.Status?.Devices ?? []).DistinctBy(device => device.Slot))
        {
            var peers = held[device.Slot] = new Dictionary<string, PeerStatus>(device.Peers.Count, names);
            foreach (var peer in device.Peers)
            {
                if (peer.NodeName is not { } name || !used.TryGetValue(name, out var keys))
                {
                    continue;
                }

                ref var counting = ref CollectionsMarshal.GetValueRefOrAddDefault(peers, name, out var isKnown);
                if (!isKnown || (keys.TryGetValue(device.Slot, out var key) && peer.PublicKey == key))
                {
                    counting = peer;
                }
            }
        }

        return held;
    }

    private static KeyAgreement Compare(Side node, Side holder, Slot slot)
    {
        PublicKey? used = node.Used.TryGetValue(slot, out var key) ? key : null;
        var peer = holder.Held.GetValueOrDefault(slot)?.GetValueOrDefault(node.NodeName);
        var state = (used, holder.Used.ContainsKey(slot), peer) switch
        {
            (null, _, _) or (_, false, _) => AgreementState.Unknown,
            (_, _, null) => AgreementState.Missing,
            _ => peer.PublicKey == used ? AgreementState.Agrees : AgreementState.Differs,
        };
        return new KeyAgreement(node.NodeName, holder.NodeName, slot, state, used, peer?.PublicKey, peer?.LastHandshakeTime);
    }

    /// <summary>What a node uses, by slot, and what it holds of others, by slot and node name.</summary>
    private sealed record Side(string NodeName, SortedList<Slot, PublicKey> Used, Dictionary<Slot, Dictionary<string, PeerStatus>> Held);
}
