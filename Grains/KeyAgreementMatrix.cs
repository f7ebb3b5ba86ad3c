namespace Orleans.WireGuard.Grains;

/// <summary>Compares what every node holds of every other with what that other really uses.</summary>
internal static class KeyAgreementMatrix
{
    /// <summary>One entry for each ordered pair of nodes and slot in use, by node, holder and slot.</summary>
    /// <remarks>
    /// A slot is in use between two nodes if both devices have a key there; an idle one has neither key nor peers and is no disagreement. Where
    /// that cannot be told, because a node gave no answer or the two have no slot in common, every slot that anybody uses is unknown.
    /// </remarks>
    /// <param name="nodes">Every node, those that did not answer included.</param>
    public static EquatableArray<KeyAgreement> Build(IReadOnlyList<MeshNode> nodes)
    {
        var keyed = nodes.ToDictionary(node => node.NodeName, KeyedSlots, StringComparer.Ordinal);
        List<Slot> inUse = [.. keyed.Values.SelectMany(slots => slots).Distinct().Order()];
        return (from node in nodes
                from holder in nodes
                where node.NodeName != holder.NodeName
                let common = keyed[node.NodeName].Intersect(keyed[holder.NodeName]).Order().ToList()
                from slot in common.Count > 0 ? common : inUse
                select Compare(node, holder, slot)).ToEquatableArray();
    }

    private static IReadOnlyList<Slot> KeyedSlots(MeshNode node) =>
        [.. (node.Status?.Devices ?? []).Where(device => device.PublicKey is not null).Select(device => device.Slot)];

    private static KeyAgreement Compare(MeshNode node, MeshNode holder, Slot slot)
    {
        var used = node.Status?.Devices.FirstOrDefault(device => device.Slot == slot)?.PublicKey;
        var device = holder.Status?.Devices.FirstOrDefault(device => device.Slot == slot);

        // While an old key is on its way out a holder may have two peers of one node; the one in use is the one that counts.
        var peers = device?.Peers.Where(peer => peer.NodeName == node.NodeName).ToList() ?? [];
        var peer = peers.Find(candidate => candidate.PublicKey == used) ?? peers.FirstOrDefault();
        var state = (used, device, peer) switch
        {
            (null, _, _) or (_, not { PublicKey: not null }, _) => AgreementState.Unknown,
            (_, _, null) => AgreementState.Missing,
            _ => peer.PublicKey == used ? AgreementState.Agrees : AgreementState.Differs,
        };
        return new KeyAgreement(node.NodeName, holder.NodeName, slot, state, used, peer?.PublicKey, peer?.LastHandshakeTime);
    }
}
