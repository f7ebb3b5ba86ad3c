using System.Collections.Immutable;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>What happens to the mesh: nodes start, and things go wrong as planned, until they stop doing so.</summary>
internal sealed partial class Simulation
{
    // Within so many periods after the last fault all pairs are on keys that were made after it.
    private const int QuietPeriods = 6;

    private static readonly TimeSpan MinTick = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan MaxTick = TimeSpan.FromSeconds(2);

    private readonly Dictionary<int, TimeSpan> _periods = [];
    private readonly List<(SiloAddress Silo, string Name)> _deadMembers = [];
    private bool _isSettled;
    private long _membershipVersion;

    /// <summary>When things stop going wrong.</summary>
    public TimeSpan FaultsEnd => Plan.Period * Plan.FaultyEpochs;

    /// <summary>
    /// Whether the clocks are less than half a period apart. Two nodes that are a whole period apart, of which neither follows the other,
    /// may keep their keys in turn for ever: safe, but not what is promised.
    /// </summary>
    public bool HasUsableClocks => Present.Max(machine => machine.Skew) - Present.Min(machine => machine.Skew)
        <= Present.Min(machine => _periods.GetValueOrDefault(machine.Number, Plan.Period)) / 2;

    /// <summary>
    /// Whether the period has changed, and with it the numbers of the epochs. Until all keys have new ones, a peer may move to a slot in
    /// the moment between its answer and the replacement of the slot's key: packets may be lost then, but everything comes right again.
    /// </summary>
    public bool IsRenumbered { get; private set; }

    private TimeSpan LongestPeriod => _periods.Values.Append(Plan.Period).Max();

    private void Begin()
    {
        for (var number = 1; number <= Plan.Nodes; number++)
        {
            AddMachine(number);
        }

        foreach (var machine in Present)
        {
            Schedule(Jitter(TimeSpan.FromMilliseconds(500)), () => StartSilo(machine));
        }

        foreach (var fault in Plan.Faults)
        {
            Schedule(FaultsEnd * (fault.At / 100.0), () => Begin(fault));
        }

        Schedule(FaultsEnd, () => Trace(() => "nothing goes wrong any more"));
    }

    private void Begin(Fault fault)
    {
        Trace(() => $"fault: {fault}");
        var present = Present.ToList();
        var machine = present[fault.Node % present.Count];
        var end = Min(Now + (Plan.Period * (fault.Duration / 100.0)), FaultsEnd);
        switch (fault.Kind)
        {
            case FaultKind.SiloDown:
                Restart(machine, end - Now);
                break;
            case FaultKind.OtherRelease:
                machine.IsFormerRelease = !machine.IsFormerRelease;
                Restart(machine, TimeSpan.Zero);
                break;
            case FaultKind.Isolated:
                machine.IsolatedUntil = end;
                break;
            case FaultKind.NoHandshakes:
                machine.MuteUntil = end;
                break;
            case FaultKind.ClockStep:
                machine.SetSkew(TimeSpan.FromSeconds(fault.Amount));
                break;
            case FaultKind.Join:
                AddMachine(_machines.Count + 1);
                StartSilo(_machines[_machines.Count]);
                break;
            case FaultKind.Leave when present.Count > 2:
                StopSilo(machine);
                machine.IsGone = true;
                SetRoster(RosterWithout(machine.Name));
                break;
            case FaultKind.PeriodChange:
                var period = SimulationPlan.PeriodOf(fault.Amount);
                IsRenumbered |= period != Plan.Period;
                foreach (var other in present)
                {
                    _periods[other.Number] = period;
                    Schedule(Jitter(FaultsEnd - Now), () => Restart(other, TimeSpan.Zero));
                }

                break;
            default:
                break;
        }
    }

    private void AddMachine(int number)
    {
        _machines[number] = new SimulatedMachine(this, number, TimeSpan.FromSeconds(Plan.Skews[number - 1])).Begin();
        _numbers[TestMesh.PodCIDR(number)] = number;
        if (_machines.Values.Select(machine => _periods.GetValueOrDefault(machine.Number)).Max() is var period && period > TimeSpan.Zero)
        {
            _periods[number] = period;
        }

        SetRoster(TestMesh.Roster(Present.Select(machine => machine.Number)));
    }

    private void SetRoster(Grains.Nodes.NodeRoster roster)
    {
        Roster = roster;
        foreach (var machine in Present)
        {
            machine.Silo?.FollowRoster();
        }
    }

    private void Restart(SimulatedMachine machine, TimeSpan pause)
    {
        if (machine.Silo is not null)
        {
            StopSilo(machine);
            Schedule(pause, () => StartSilo(machine));
        }
    }

    private void StartSilo(SimulatedMachine machine)
    {
        if (machine.IsGone || machine.Silo is not null)
        {
            return;
        }

        machine.Silo = new SimulatedSilo(this, machine, _periods.GetValueOrDefault(machine.Number, Plan.Period));
        Trace(() => $"silo of {machine.Name} starts, skew {machine.Skew.TotalSeconds} s");
        machine.Silo.Membership.Set(Members());
        machine.Silo.Start();
        TellMembers();
    }

    // The others notice after a while.
    private void StopSilo(SimulatedMachine machine)
    {
        if (machine.Silo is not { } silo)
        {
            return;
        }

        Trace(() => $"silo of {machine.Name} dies");
        silo.Dispose();
        machine.Silo = null;
        _deadMembers.Add((silo.Address, machine.Name));
        Schedule(TimeSpan.FromSeconds(2) + Jitter(TimeSpan.FromSeconds(3)), () =>
        {
            _deadMembers.RemoveAll(member => member.Silo.Equals(silo.Address));
            TellMembers();
        });
    }

    private ClusterMembershipSnapshot Members()
    {
        var alive = Present.Where(machine => machine.Silo is not null).Select(machine => (Silo: machine.Silo!.Address, machine.Name));
        return new ClusterMembershipSnapshot(
            alive.Concat(_deadMembers).ToImmutableDictionary(
                member => member.Silo, member => new ClusterMember(member.Silo, SiloStatus.Active, member.Name)),
            new MembershipVersion(++_membershipVersion));
    }

    private void TellMembers()
    {
        var members = Members();
        foreach (var machine in Present)
        {
            machine.Silo?.Learn(Jitter(TimeSpan.FromSeconds(1)), members);
        }
    }

    private void Tick()
    {
        Tunnels.SendTraffic();
        Check();
        if (Now > FaultsEnd && _invariants.FindUnfinished(FaultsEnd) is null)
        {
            _isSettled = true;
        }

        var interval = Plan.Period / 60;
        Schedule(interval < MinTick ? MinTick : Min(interval, MaxTick), Tick);
    }

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;
}
