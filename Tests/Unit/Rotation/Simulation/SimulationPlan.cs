using System.Globalization;
using CsCheck;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>What goes wrong.</summary>
internal enum FaultKind
{
    /// <summary>
    /// The silo is killed, its devices go on, and it is started again when the fault ends; at once if that takes no time.
    /// </summary>
    SiloDown,

    /// <summary>No control message to or from the node arrives; its tunnels work on.</summary>
    Isolated,

    /// <summary>No handshake with the node succeeds; what is established works on.</summary>
    NoHandshakes,

    /// <summary>The node's clock is set to another skew; the amount says to which.</summary>
    ClockStep,

    /// <summary>A new node joins.</summary>
    Join,

    /// <summary>The node leaves the roster and goes away.</summary>
    Leave,

    /// <summary>Every silo in turn is restarted with another period; the amount says with which.</summary>
    PeriodChange,

    /// <summary>The silo is upgraded to this release, or rolled back to the one before if it is of this.</summary>
    OtherRelease,
}

/// <summary>One thing that goes wrong.</summary>
/// <param name="Kind">What goes wrong.</param>
/// <param name="At">When, in percent of the faulty time.</param>
/// <param name="Node">Which node, modulo the nodes there are.</param>
/// <param name="Duration">For how long, in percent of a period.</param>
/// <param name="Amount">How much; seconds of skew, for example.</param>
internal sealed record Fault(FaultKind Kind, int At, int Node, int Duration, int Amount)
{
    /// <summary>In a few words.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Kind} at {At} % of node {Node} for {Duration} % ({Amount})");
}

/// <summary>A random schedule: everything that a <see cref="Simulation"/> follows from.</summary>
internal sealed record SimulationPlan
{
    /// <summary>How far the clocks may be off, either way.</summary>
    public const int MaxSkewSeconds = 20;

    private const int MaxNodes = 6;
    private const int MaxFaults = 6;

    private static readonly int[] Periods = [120, 60, 40, 20];

    private static readonly FaultKind[] Kinds =
    [
        FaultKind.SiloDown, FaultKind.SiloDown, FaultKind.SiloDown, FaultKind.Isolated,
        FaultKind.Isolated, FaultKind.NoHandshakes, FaultKind.NoHandshakes,
        FaultKind.ClockStep, FaultKind.ClockStep, FaultKind.Join, FaultKind.Join, FaultKind.Leave, FaultKind.PeriodChange,
        FaultKind.OtherRelease, FaultKind.OtherRelease,
    ];

    private static readonly Gen<Fault> AnyFault = Gen.Select(
        Gen.Int[0, Kinds.Length - 1].Select(index => Kinds[index]), Gen.Int[0, 99],
        Gen.Int[0, MaxNodes - 1], Gen.Int[0, 250], Gen.Int[-MaxSkewSeconds, MaxSkewSeconds],
        (kind, at, node, duration, amount) => new Fault(kind, at, node, duration, amount));

    /// <summary>Any schedule.</summary>
    public static readonly Gen<SimulationPlan> Any = Gen.Select(
        Gen.Int[2, MaxNodes],
        Gen.Int[0, Periods.Length - 1],
        Gen.Int[-MaxSkewSeconds, MaxSkewSeconds].Array[MaxNodes * 2],
        AnyFault.Array[0, MaxFaults],
        Gen.Select(Gen.Int[0, 30], Gen.Int[0, 30], Gen.Int[0, 50], Gen.Int[0, int.MaxValue]),
        Gen.Int[2, 5],
        (nodes, period, skews, faults, network, epochs) => new SimulationPlan
        {
            Nodes = nodes,
            Period = TimeSpan.FromSeconds(Periods[period]),
            Skews = skews.ToEquatableArray(),
            Faults = faults.OrderBy(fault => fault.At).ToEquatableArray(),
            LossPercent = network.Item1,
            SlowPercent = network.Item2,
            SilentPercent = network.Item3,
            Seed = network.Item4,
            FaultyEpochs = epochs,
        });

    /// <summary>How many nodes there are at first.</summary>
    public required int Nodes { get; init; }

    /// <summary>Length of an epoch.</summary>
    public required TimeSpan Period { get; init; }

    /// <summary>By how many seconds each node's clock is ahead, by number, those that join among them.</summary>
    public required EquatableArray<int> Skews { get; init; }

    /// <summary>What goes wrong, in order.</summary>
    public required EquatableArray<Fault> Faults { get; init; }

    /// <summary>How many control messages get lost while things go wrong, and as many handshakes.</summary>
    public required int LossPercent { get; init; }

    /// <summary>How many take seconds, so that later ones overtake them; a fifth as many arrive twice.</summary>
    public required int SlowPercent { get; init; }

    /// <summary>How many of the ways from one node to another carry no data.</summary>
    public required int SilentPercent { get; init; }

    /// <summary>Of everything that is random in the network.</summary>
    public required int Seed { get; init; }

    /// <summary>For how many epochs things go wrong.</summary>
    public required int FaultyEpochs { get; init; }

    /// <summary>The period that an amount stands for.</summary>
    public static TimeSpan PeriodOf(int amount) => TimeSpan.FromSeconds(Periods[(amount + MaxSkewSeconds) % Periods.Length]);

    /// <summary>All of it, to be read and to be made again.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Nodes} nodes, period {Period.TotalSeconds} s, skews [{string.Join(", ", Skews)}], {LossPercent} % lost, {SlowPercent} % slow, "
        + $"{SilentPercent} % silent, {FaultyEpochs} epochs, seed {Seed}, faults [{string.Join("; ", Faults)}]");
}
