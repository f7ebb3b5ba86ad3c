using Orleans.WireGuard.Linux.Routing.Witness;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>What the witness counted, as it crosses the wire. Pure.</summary>
internal static class WitnessReport
{
    /// <summary>The counters, and whether only a part could be counted.</summary>
    public static WitnessStatus Of(WitnessCounts counts, bool isPartial) => new(
        (long)counts.Clear,
        (long)counts.ClearEncapsulated,
        (long)counts.Tunnel,
        (long)counts.ArrivedClear,
        (long)counts.ArrivedClearEncapsulated,
        (long)counts.ArrivedTunnel,
        isPartial);
}
