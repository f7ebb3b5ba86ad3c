namespace Orleans.WireGuard.Silo.Cli;

/// <summary>
/// How many of the nodes that answer hold a key of another on their devices. Built once for a snapshot, then each answer is a look-up.
/// </summary>
internal sealed class KeyHolders
{
    private readonly HashSet<string> _answering;
    private readonly Dictionary<(string NodeName, Slot Slot, PublicKey Key), int> _holding = [];

    /// <summary>Counts the holders of every key in a snapshot.</summary>
    public KeyHolders(MeshSnapshot snapshot)
    {
        // A silo that is away cannot be asked what its device holds, so only those that answer count.
        var answers = snapshot.Nodes.Where(node => node.Status is not null).ToList();
        _answering = answers.Select(node => node.NodeName).ToHashSet(StringComparer.Ordinal);
        foreach (var holder in answers)
        {
            var held = from device in holder.Status!.Devices
                       from peer in device.Peers
                       where peer.NodeName is not null && peer.NodeName != holder.NodeName
                       select (peer.NodeName, device.Slot, peer.PublicKey);
            foreach (var key in held.Distinct())
            {
                _holding[key] = _holding.GetValueOrDefault(key) + 1;
            }
        }
    }

    /// <summary>Of how many others that answer, and by how many of them a key is held.</summary>
    public (int Others, int Holding) Find(string nodeName, SlotStatus slot) =>
        (_answering.Count - (_answering.Contains(nodeName) ? 1 : 0), _holding.GetValueOrDefault((nodeName, slot.Slot, slot.PublicKey)));
}
