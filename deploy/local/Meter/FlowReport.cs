using Orleans.WireGuard.LocalMesh.Probes;

namespace Orleans.WireGuard.LocalMesh.Meter;

/// <summary>Packets that were lost one after the other.</summary>
/// <param name="At">When the first of them was sent, since the start of the direction, to within a few packets.</param>
/// <param name="First">Sequence of the first.</param>
/// <param name="Count">How many.</param>
internal readonly record struct LossBurst(TimeSpan At, long First, long Count);

/// <summary>What became of the packets of one direction.</summary>
/// <param name="Pair">From whom to whom.</param>
/// <param name="Sent">Packets sent, those that the system refused included.</param>
/// <param name="Received">Of these, packets that arrived, each counted once.</param>
internal sealed record FlowReport(NodePair Pair, long Sent, long Received)
{
    /// <summary>Of <see cref="Sent"/>, those that the sender's system refused, such as for want of a route.</summary>
    public long Refused { get; init; }

    /// <summary>Packets that never arrived.</summary>
    public long Lost => Sent - Received;

    /// <summary>Arrivals of a packet that had arrived before.</summary>
    public long Duplicated { get; init; }

    /// <summary>Packets that arrived after one which was sent later.</summary>
    public long Reordered { get; init; }

    /// <summary>The longest time without an arrival, from the first packet sent to the last one sent.</summary>
    public TimeSpan LongestGap { get; init; }

    /// <summary>From the call that sends to the return of the call that receives.</summary>
    public LatencyHistogram Latency { get; init; } = new();

    /// <summary>The losses, in order.</summary>
    public IReadOnlyList<LossBurst> Bursts { get; init; } = [];
}
