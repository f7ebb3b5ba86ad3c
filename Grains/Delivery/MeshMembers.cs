
namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The other silos of the mesh that are active members, by the names of their nodes.</summary>
internal sealed class MeshMembers(IClusterMembershipService membership, ILocalSiloDetails localSilo)
{
    /// <summary>The name of this node, which is the name of its silo.</summary>
    public string LocalNodeName => localSilo.Name;

    /// <summary>The address of this silo.</summary>
    public SiloAddress LocalSilo => localSilo.SiloAddress;

    /// <summary>Every other active silo with its node name, by node name. Of two generations of one node only the newer counts.</summary>
    public IReadOnlyList<(SiloAddress Silo, string NodeName)> Others =>
        [.. membership.CurrentSnapshot.Members.Values
            .Where(member => member.Status == SiloStatus.Active && member.Name != localSilo.Name)
            .GroupBy(member => member.Name, StringComparer.Ordinal)
            .Select(node => (node.MaxBy(member => member.SiloAddress.Generation)!.SiloAddress, node.Key))
            .OrderBy(other => other.Key, StringComparer.Ordinal)];
}
