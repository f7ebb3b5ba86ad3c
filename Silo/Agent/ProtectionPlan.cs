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
    /// <summary>What is excepted from the refusals unless there is a route to the same destination.</summary>
    public EquatableArray<Route> Fallbacks { get; init; } = [];

    /// <summary>
    /// Addresses of this node whose packets do not follow our routes although <see cref="Rules"/> has them; <see langword="null"/> as
    /// <see cref="Rules"/> is.
    /// </summary>
    public EquatableArray<IPPrefix>? NodeRules { get; init; }

    /// <summary>
    /// What becomes of packets that another data plane packs; <see langword="null"/> while that is unknown. Then it stays as it is.
    /// </summary>
    public EncapsulationPlan? Encapsulation { get; init; }

    /// <summary>Plans. Pure.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="encryption">What is in force.</param>
    /// <param name="table">Where bare packets of pods are looked up; the default if not given.</param>
    public static ProtectionPlan Build(MeshView view, EncryptionOptions encryption, RouteTable? table = null) => new(
        DesiredState.BuildRefusals(view, encryption), DesiredState.BuildRules(view), FirewallPlan.Build(view, encryption))
    {
        Fallbacks = DesiredState.BuildFallbacks(view, encryption),
        NodeRules = DesiredState.BuildNodeRules(view),
        Encapsulation = EncapsulationPlan.Build(view, encryption, table ?? RouteTable.Default),
    };
}

/// <summary>What the table that drops plaintext should be.</summary>
/// <param name="IsWanted">Whether anything is to be dropped.</param>
/// <param name="Prefixes">
/// What it has then; <see langword="null"/> if nothing is, or while the nodes are unknown. In that case what an earlier process left stays
/// in force.
/// </param>
internal sealed record FirewallPlan(bool IsWanted, FirewallPrefixes? Prefixes)
{
    /// <summary>
    /// The packed packets that have to come through the tunnels; <see langword="null"/> while they are unknown. Then they stay as they are.
    /// </summary>
    public EquatableArray<OuterPacket>? Packets { get; init; }

    /// <summary>Names of the links that unpack them.</summary>
    public EquatableArray<string> Unpacking { get; init; } = [];

    /// <summary>Plans. Pure.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="encryption">What is in force.</param>
    public static FirewallPlan Build(MeshView view, EncryptionOptions encryption)
    {
        var isWanted = encryption is { Mode: EncryptionMode.Strict, DropPlaintext: true };
        return new FirewallPlan(isWanted, isWanted ? DesiredState.BuildDropped(view) : null)
        {
            Packets = isWanted ? EncapsulationPlan.FindPackets(view) : null,
            Unpacking = isWanted && view.Encapsulation is { IsWhole: true } own ? own.Unpacking : [],
        };
    }
}
