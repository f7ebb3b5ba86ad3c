using Orleans.Runtime.Placement;

namespace Orleans.WireGuard.Grains.Placement;

/// <summary>Finds the active silo that bears a node's name.</summary>
/// <remarks>
/// A restarted silo has its former self's name and address with a higher generation. Until the old row is declared dead both may look
/// active, so the highest generation wins.
/// </remarks>
internal sealed class NodeLocalDirector(IClusterMembershipService membership) : IPlacementDirector
{
    /// <inheritdoc/>
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var nodeName = target.GrainIdentity.Key.ToString() ?? "";
        var snapshot = membership.CurrentSnapshot;
        ClusterMember? silo = null;
        foreach (var member in snapshot.Members.Values)
        {
            if (member.Status == SiloStatus.Active && member.Name == nodeName
                && (silo is null || member.SiloAddress.Generation > silo.SiloAddress.Generation))
            {
                silo = member;
            }
        }

        if (silo is null)
        {
            throw new NodeUnavailableException(
                nodeName,
                $"No active silo hosts node '{nodeName}' (membership version {snapshot.Version.Value}). "
                + "If the name is right, check that its silo runs and can reach the others.");
        }

        // During a roll-out a silo may be active that does not know this version of the grain yet.
        if (!context.GetCompatibleSilos(target).Contains(silo.SiloAddress))
        {
            throw new NodeUnavailableException(
                nodeName, $"The silo of node '{nodeName}' runs a version that does not offer {target.GrainIdentity.Type}. Upgrade it.");
        }

        return Task.FromResult(silo.SiloAddress);
    }
}
