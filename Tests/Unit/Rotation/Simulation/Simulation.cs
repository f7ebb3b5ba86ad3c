using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>
/// A mesh in virtual time: machines with devices, silos with the product's grains and passes, a network that delays, loses, repeats and
/// reorders. All of it follows from a plan, on one thread. After every step that a device or a route may have changed in, the invariants
/// are checked.
/// </summary>
internal sealed partial class Simulation : IDisposable
{
    // Moments are whole hundredths of a second, so that the milliseconds of its clock tell a node from the others.
    private static readonly TimeSpan Grid = TimeSpan.FromMilliseconds(10);

    private readonly PriorityQueue<Action, (TimeSpan At, long Number)> _events = new();
    private readonly Dictionary<int, SimulatedMachine> _machines = [];
    private readonly Dictionary<IPPrefix, int> _numbers = [];
    private readonly SimulationInvariants _invariants;
    private readonly SimulationTrace _trace = new();
    private readonly Random _random;
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private long _steps;

    private Simulation(SimulationPlan plan, SimulationBreak broken)
    {
        (Plan, Broken) = (plan, broken);
        _random = new Random(plan.Seed);
        _invariants = new SimulationInvariants(this);
        Tunnels = new SimulatedTunnels(this);
    }

    /// <summary>What it follows from.</summary>
    public SimulationPlan Plan { get; }

    /// <summary>The rule that is broken.</summary>
    public SimulationBreak Broken { get; }

    /// <summary>Virtual time since the start.</summary>
    public TimeSpan Now { get; private set; }

    /// <summary>Sessions and handshakes.</summary>
    public SimulatedTunnels Tunnels { get; }

    /// <summary>Who the nodes are.</summary>
    public NodeRoster Roster { get; private set; } = TestMesh.Roster();

    /// <summary>The machines that have not left, by number.</summary>
    public IEnumerable<SimulatedMachine> Present => _machines.Values.Where(machine => !machine.IsGone);

    /// <summary>How often an agent looks at its devices without a reason.</summary>
    public TimeSpan PollInterval => Plan.Period / 20;

    /// <summary>Runs a plan to its end.</summary>
    /// <param name="plan">What goes wrong, and when.</param>
    /// <param name="broken">A rule to break.</param>
    public static SimulationReport Run(SimulationPlan plan, SimulationBreak broken = SimulationBreak.None)
    {
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            using var simulation = new Simulation(plan, broken);
            return simulation.Run();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    /// <summary>Does something later.</summary>
    public void Schedule(TimeSpan delay, Action action)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            throw new InvalidOperationException("Something runs on a thread of its own, so the simulation cannot be repeated.");
        }

        var at = Now + delay;
        _events.Enqueue(action, (new TimeSpan((at.Ticks + Grid.Ticks - 1) / Grid.Ticks * Grid.Ticks), ++_steps));
    }

    /// <summary>Notes a step; the text is made only if somebody will read it.</summary>
    public void Trace(Func<string> step) => _trace.Note(Now, step);

    /// <summary>Something threw that should not.</summary>
    public void Fail(Exception exception) => _invariants.Violation ??= exception.ToString();

    /// <summary>Checks the invariants.</summary>
    public void Check() => _invariants.Check();

    /// <summary>The options of rotations.</summary>
    /// <remarks>No key gets so old that it is replaced at the cost of a peer, so no packet is ever to be lost.</remarks>
    public RotationOptions RotationOptions(TimeSpan period) => Broken == SimulationBreak.ReplaceInSpite
        ? new RotationOptions { Period = period, MaxKeyAge = TimeSpan.FromSeconds(1), MaxLaggingFraction = 1 }
        : new RotationOptions { Period = period, MaxKeyAge = TimeSpan.FromDays(1) };

    /// <summary>The silo of an address, if it runs.</summary>
    public SimulatedSilo? FindSilo(SiloAddress address) =>
        _machines.Values.Select(machine => machine.Silo).FirstOrDefault(silo => silo is not null && silo.Address.Equals(address));

    /// <summary>The number of the node that has a pod CIDR; <see langword="null"/> for what is none, as the address of a node.</summary>
    public int? FindNumber(IPPrefix prefix) => _numbers.TryGetValue(prefix, out var number) ? number : null;

    /// <summary>The roster without a node.</summary>
    public NodeRoster RosterWithout(string name) => NodeRoster.Of(Roster.Nodes.Values.Where(node => node.NodeName != name));

    /// <summary>Names a key by who has it.</summary>
    public string Describe(PublicKey key) => $"{Tunnels.FindOwner(key)?.Name ?? "?"}'s {key.ToShortString()}";

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var machine in _machines.Values)
        {
            machine.Dispose();
        }
    }

    private SimulationReport Run()
    {
        Begin();
        var isDone = false;
        var deadline = FaultsEnd + (QuietPeriods * LongestPeriod);
        Tick();
        while (_invariants.Violation is null && !isDone && Now < deadline && _events.TryDequeue(out var action, out var key))
        {
            Now = key.At;
            action();
            isDone = _isSettled;
        }

        var violation = _invariants.Violation
            ?? (isDone ? null : _invariants.FindUnfinished(FaultsEnd) ?? "liveness: nothing is left to do");
        var text = violation is null ? null : $"{violation}{Environment.NewLine}{Plan}{Environment.NewLine}{_trace}";
        return new SimulationReport(text, Now, Now - FaultsEnd, _invariants.Checks, Tunnels.Handshakes, _trace.ToHash());
    }
}
