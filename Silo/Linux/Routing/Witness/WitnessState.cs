namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>What was counted, in packets.</summary>
/// <param name="Clear">Left in clear.</param>
/// <param name="ClearEncapsulated">Left inside an encapsulation that hides nothing.</param>
/// <param name="Tunnel">Left through our tunnels.</param>
/// <param name="ArrivedClear">Came in clear.</param>
/// <param name="ArrivedClearEncapsulated">Came inside such an encapsulation.</param>
/// <param name="ArrivedTunnel">Came through our tunnels.</param>
public sealed record WitnessCounts(
    ulong Clear = 0, ulong ClearEncapsulated =
        0, ulong Tunnel = 0, ulong ArrivedClear = 0, ulong ArrivedClearEncapsulated = 0, ulong ArrivedTunnel = 0)
{
    /// <summary>By the order of <see cref="WitnessTable.Counters"/>.</summary>
    public IReadOnlyList<ulong> InOrder => [Clear, ClearEncapsulated, Tunnel, ArrivedClear, ArrivedClearEncapsulated, ArrivedTunnel];

    /// <summary>The counts of some counters; one that is missing counts as 0.</summary>
    public static WitnessCounts Of(IReadOnlyDictionary<string, (ulong Packets, ulong Bytes)> counters)
    {
        var counts = WitnessTable.Counters.Select(name => counters.GetValueOrDefault(name).Packets).ToList();
        return new WitnessCounts(counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]);
    }
}

/// <summary>The table as it was read.</summary>
/// <param name="Chains">Name of each chain and of the link that it is called from.</param>
/// <param name="Comments">The comments of its rules, sorted; a rule without one of ours has an empty one.</param>
/// <param name="Own">See <see cref="WitnessSpec.Own"/>; <see langword="null"/> if what is there is no list of prefixes.</param>
/// <param name="Remote">See <see cref="WitnessSpec.Remote"/>; likewise.</param>
/// <param name="Counts">What was counted.</param>
/// <param name="IsPartial">Whether the kernel has only hooks that miss some packets.</param>
public sealed record WitnessState(
    EquatableArray<(string Chain, string Link)> Chains,
    EquatableArray<string> Comments,
    EquatableArray<IPPrefix>? Own,
    EquatableArray<IPPrefix>? Remote,
    WitnessCounts Counts,
    bool IsPartial)
{
    /// <summary>
    /// What netfilter saw leave by each link and each device of ours, by number, since the table was made; nothing if the table is partial.
    /// </summary>
    public EquatableArray<LinkCount> Seen { get; init; } = [];
}

/// <summary>What left by a link.</summary>
/// <param name="Index">The kernel's number for it.</param>
/// <param name="Packets">Packets; one that the link cuts into several is one.</param>
/// <param name="Bytes">With the headers of the link.</param>
public readonly record struct LinkCount(int Index, ulong Packets, ulong Bytes);
