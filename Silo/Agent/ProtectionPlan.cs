using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// What a pass refuses and drops. It follows from the sources alone, whatever the devices are, so it is written before one of them is
/// made or changed (invariant I7).
/// </summary>
/// <param name="Refusals">
/// The routes below those of the devices; <see langword="null"/> while the nodes are unknown. Then they stay as they are.
/// </param>
/// <param name="Rules">
/// The sources whose packets follow our routes; <see langword="null"/> while they are unknown. Then the rules stay as they are.
/// </param>
/// <param name="Firewall">The table that drops plaintext.</param>
internal sealed record ProtectionPlan(EquatableArray<Route>? Refusals, EquatableArray<IPPrefix>? Rules, FirewallPlan Firewall)
{
    /// <summary>Plans. Pure.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="encryption">What is in force.</param>
    public static ProtectionPlan Build(MeshView view, EncryptionOptions encryption) => new(
        DesiredState.BuildRefusals(view, encryption), DesiredState.BuildRules(view), FirewallPlan.Build(view, encryption));
}

/// <summary>What the table that drops plaintext should be.</summary>
/// <param name="IsWanted">Whether there should be one.</param>
/// <param name="Prefixes">
/// What it has then; <see langword="null"/> if there should be none, or while the nodes are unknown. In that case what an earlier process
/// left stays in force.
/// </param>
internal sealed record FirewallPlan(bool IsWanted, FirewallPrefixes? Prefixes)
{
    /// <summary>Plans. Pure.</summary>
    /// <inheritdoc cref="ProtectionPlan.Build"/>
    public static FirewallPlan Build(MeshView view, EncryptionOptions encryption)
    {
        var isWanted = encryption is { Mode: EncryptionMode.Strict, DropPlaintext: true };
        return isWanted && DesiredState.BuildDroppedSources(view) is { } remote && DesiredState.BuildRules(view) is { } local
            ? new FirewallPlan(isWanted, new FirewallPrefixes(remote.Order().ToEquatableArray(), PrefixSet.Merge(local)))
            : new FirewallPlan(isWanted, null);
    }
}
