namespace Orleans.WireGuard.Grains;

/// <summary>Compares what every node holds of every other with what that other really uses.</summary>
internal static class KeyAgreementMatrix
{
    /// <summary>One entry for each ordered pair of nodes and slot in use, by node, holder and slot.</summary>
    /// <param name="nodes">Every node, those that did not answer included.</param>
    public static EquatableArray<KeyAgreement> Build(IReadOnlyList<MeshNode> nodes)
    {
        var slots = nodes.SelectMany(node => node.Status?.Devices ?? []).Select(device => device.Slot).Distinct().Order().ToList();
        return (from node in nodes
                from holder in nodes
                where node.NodeName != holder.NodeName
                from slot in slots
                select Compare(node, holder, slot)).ToEquatableArray();
    }

    private static KeyAgreement Compare(MeshNode node, MeshNode holder, Slot slot)
    {
        var used = node.Status?.Devices.FirstOrDefault(device => device.Slot == slot)?.PublicKey;
        var device = holder.Status?.Devices.FirstOrDefault(device => device.Slot == slot);

        // While an old key is on its way out a holder may have two peers of one node; the one in use is the one that counts.
        var peers = device?.Peers.Where(peer => peer.NodeName == node.NodeName).ToList() ?? [];
        var peer = peers.Find(candidate => candidate.PublicKey == used) ?? peers.FirstOrDefault();
        var state = (used, device, peer) switch
        {
            (null, _, _) or (_, null, _) => AgreementState.Unknown,
            (_, _, null) => AgreementState.Missing,
            _ => peer.PublicKey == used ? AgreementState.Agrees : AgreementState.Differs,
        };
        return new KeyAgreement(node.NodeName, holder.NodeName, slot, state, used, peer?.PublicKey, peer?.LastHandshakeTime);
    }
}
