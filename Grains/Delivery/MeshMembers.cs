using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The other silos of the mesh that are active members, by the names of their nodes.</summary>
internal sealed class MeshMembers(IClusterMembershipService membership, ILocalSiloDetails localSilo)
{
    private volatile Known? _known;

    /// <summary>The name of this node, which is the name of its silo.</summary>
    public string LocalNodeName => localSilo.Name;

    /// <summary>
    /// Every other active silo with its node name, by node name; the same list as long as the membership is the same. Of two generations of
    /// one node only the newer counts. A silo whose name no node can have is none.
    /// </summary>
    public IReadOnlyList<(SiloAddress Silo, string NodeName)> Others => Current.Others;

    /// <summary>The names of their nodes.</summary>
    public IReadOnlySet<string> OtherNames => Current.OtherNames;

    // Asked for with every receipt of every announcement and in every step of a turn, and made once for each change.
    private Known Current
    {
        get
        {
            var (snapshot, known) = (membership.CurrentSnapshot, _known);
            if (!ReferenceEquals(known?.Snapshot, snapshot))
            {
                var others = Find(snapshot);
                _known = known = new Known(snapshot, others, others.Select(other => other.NodeName).ToHashSet(StringComparer.Ordinal));
            }

            return known!;
        }
    }

    private IReadOnlyList<(SiloAddress Silo, string NodeName)> Find(ClusterMembershipSnapshot snapshot) =>
        [.. snapshot.Members.Values
            .Where(member => member.Status == SiloStatus.Active && member.Name != localSilo.Name && NodeNameRule.IsValid(member.Name))
            .GroupBy(member => member.Name, StringComparer.Ordinal)
            .Select(node => (node.MaxBy(member => member.SiloAddress.Generation)!.SiloAddress, node.Key))
            .OrderBy(other => other.Key, StringComparer.Ordinal)];

    private sealed record Known(
        ClusterMembershipSnapshot Snapshot, IReadOnlyList<(SiloAddress Silo, string NodeName)> Others, IReadOnlySet<string> OtherNames);
}
