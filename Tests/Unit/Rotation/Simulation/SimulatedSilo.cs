using System.Reflection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Orleans.Timers;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Supervision;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>
/// A silo without Orleans: the product's NodeGrain, PeerGrain and passes, their stores and clocks, each call in its turn, in virtual time
/// and on one thread.
/// </summary>
internal sealed class SimulatedSilo : IDisposable
{
    private readonly Simulation _simulation;
    private readonly SimulatedClock _clock;
    private readonly Mailbox _keeperTurns;
    private readonly KeyRing _ring;
    private readonly Identity _identity = new();
    private readonly NodeGrain _node;
    private readonly PeerGrain _peer;
    private readonly DeliveryOptions _delivery;
    private bool _isActive;

    /// <summary>Makes it; <see cref="Start"/> starts it.</summary>
    public SimulatedSilo(Simulation simulation, SimulatedMachine machine, TimeSpan period)
    {
        (_simulation, Machine) = (simulation, machine);
        _clock = new SimulatedClock(simulation, machine);
        _ring = new KeyRing(simulation.CreateKeyPair);
        _keeperTurns = new Mailbox(simulation);
        Address = SimulatedMembership.Address(TestMesh.Address(machine.Number), ++machine.Generations);
        Membership = new SimulatedMembership(machine.Name, Address);
        Members = new MeshMembers(Membership, Membership);
        Roster.Set(simulation.Roster);
        var meshClock = new MeshClock(_clock, period);
        Store = new AnnouncementStore(Roster, Members, Own, meshClock, _clock);
        var addresses = new AddressStore(Store, new RosterPrefixSource(Roster, machine.Name), Members, meshClock);
        _delivery = new DeliveryOptions { AntiEntropyInterval = period / 10, MaxAttempts = 3 };
        var rotation = Options.Create(simulation.RotationOptions(period));
        var encryption = new Tests.Support.OptionsMonitor<EncryptionOptions>(new EncryptionOptions { Mode = EncryptionMode.Permissive });
        var inForce = new EncryptionInForce(encryption);
        Pass = new ReconcilePass(
            new SimulatedDevices(simulation, machine, machine.Kernel),
            machine.Links,
            new FakePathProbe(),
            new FirewallReconciler(machine.Firewall, NullLogger<FirewallReconciler>.Instance),
            new RealityReconciler(
                new FakeNetworkDump(), new FakeWitness(), machine.Links, inForce, _clock, NullLogger<RealityReconciler>.Instance),
            inForce,
            new KernelWatch(DeviceNames.Default.All),
            _ring,
            Store,
            addresses,
            Own,
            Members,
            Options.Create(new DeviceOptions()),
            rotation,
            _clock,
            NullLogger<ReconcilePass>.Instance);
        Agent = new SimulatedAgent(simulation, this, _clock);
        Client = new SimulatedPeerServiceClient(simulation, machine, _clock);
        Protocol = new MeshProtocol(machine.IsFormerRelease ? ProtocolRange.Silent : OwnProtocol.Range, Store, Members, _clock);
        var acceptance = new Acceptance(Own, Members, Protocol, _clock);
        Clocks = new ClockSurvey(Members, Client, meshClock, Protocol, _clock);
        Service = new SimulatedPeerService(simulation, this, _clock, _delivery);
        Keeper = Stub.Of<INodeKeeper>((member, arguments) =>
            simulation.Broken == SimulationBreak.SequenceRestarts ? Task.CompletedTask
                : member.IsDefined(typeof(AlwaysInterleaveAttribute), inherit: true) ? CallBesideTurnsAsync(member, arguments)
                : _keeperTurns.PostAsync(() => (Task)member.Invoke(_node, arguments)!));
        _node = new NodeGrain(
            Context(_keeperTurns), Membership, _ring, _identity, Store, Own, Members, Agent, Client,
            meshClock, Clocks, Protocol, acceptance, TestMesh.Report(addresses, Store, Roster, Members, _clock),
            rotation, Options.Create(_delivery), _clock,
            new SimulationLogger<NodeGrain>(simulation));
        _peer = new PeerGrain(
            Context(new Mailbox(simulation)), Membership, _identity, Store, Own, Members, Client, Agent, meshClock, Protocol, acceptance,
            Options.Create(_delivery), _clock, new Jitter(new Random(machine.Number)), NullLogger<PeerGrain>.Instance);
    }

    /// <summary>Where it runs.</summary>
    public SimulatedMachine Machine { get; }

    /// <summary>Its address, new with every start.</summary>
    public SiloAddress Address { get; }

    /// <summary>Whom it takes for a member.</summary>
    public SimulatedMembership Membership { get; }

    /// <summary>The others among them.</summary>
    public MeshMembers Members { get; }

    /// <summary>Whom it takes for a node.</summary>
    public FakeRosterSource Roster { get; } = new(0);

    /// <summary>What it holds.</summary>
    public AnnouncementStore Store { get; }

    /// <summary>Its own announcement, and who has applied it.</summary>
    public OwnAnnouncement Own { get; } = new();

    /// <summary>One pass over its devices.</summary>
    public ReconcilePass Pass { get; }

    /// <summary>The loop of passes.</summary>
    public SimulatedAgent Agent { get; }

    /// <summary>Calls others.</summary>
    public SimulatedPeerServiceClient Client { get; }

    /// <summary>What it speaks with the others.</summary>
    public MeshProtocol Protocol { get; }

    /// <summary>Asks others what time it is.</summary>
    public ClockSurvey Clocks { get; }

    /// <summary>Is called by others.</summary>
    public SimulatedPeerService Service { get; }

    /// <summary>The NodeGrain, in its turns.</summary>
    public INodeKeeper Keeper { get; }

    /// <summary>Starts the agent and the anti-entropy, and the grains a little later.</summary>
    public void Start()
    {
        Agent.Poll(_simulation.PollInterval);
        _ = Service.HealForEverAsync();
        _clock.Schedule(_simulation.Jitter(TimeSpan.FromMilliseconds(200)), Activate);
    }

    /// <summary>Learns who the nodes are, later, as a watch does: what was overtaken is never told.</summary>
    public void FollowRoster() => _clock.Schedule(_simulation.Jitter(TimeSpan.FromSeconds(1)), () =>
    {
        Roster.Set(_simulation.Roster);
        Store.ForgetAbsent(_simulation.Roster);
        Agent.RequestReconcile();
        _ = Keeper.AnnounceAgain();
    });

    /// <summary>Learns who the members are.</summary>
    public void Learn(TimeSpan delay, ClusterMembershipSnapshot members) => _clock.Schedule(delay, () =>
    {
        if (members.Version > Membership.CurrentSnapshot.Version)
        {
            Membership.Set(members);
        }
    });

    /// <summary>Kills it: nothing that it was about to do happens.</summary>
    public void Dispose()
    {
        _clock.Stop();
        _ring.Dispose();
        _identity.Dispose();
    }

    // A call activates the grain if nothing else has.
    private Task CallBesideTurnsAsync(MethodInfo member, object?[] arguments)
    {
        Activate();
        return (Task)member.Invoke(_node, BindingFlags.DoNotWrapExceptions, null, arguments, null)!;
    }

    private void Activate()
    {
        if (!_isActive)
        {
            _isActive = true;
            _ = _peer.OnActivateAsync(CancellationToken.None);
            _ = _node.OnActivateAsync(CancellationToken.None);
        }
    }

    private IGrainContext Context(Mailbox turns) => UnhostedGrain.Context(
        Machine.Name,
        new SimulatedTimers(_clock, turns),
        Stub.Of<IGrainFactory>((member, _) => member.ReturnType == typeof(IPeerGrain) ? _peer : Keeper));
}

/// <summary>Grain timers in virtual time; each call of one is a turn of its grain, unless it interleaves.</summary>
internal sealed class SimulatedTimers(SimulatedClock clock, Mailbox turns) : ITimerRegistry
{
    /// <inheritdoc/>
    public IDisposable RegisterTimer(
        IGrainContext grainContext, Func<object?, Task> callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public IGrainTimer RegisterGrainTimer<TState>(
        IGrainContext grainContext, Func<TState, CancellationToken, Task> callback, TState state, GrainTimerCreationOptions options)
    {
        Task CallAsync() => callback(state, CancellationToken.None);
        var timer = new SimulatedTimer(clock, () => _ = options.Interleave ? CallAsync() : turns.PostAsync(CallAsync));
        _ = timer.Change(options.DueTime, options.Period);
        return timer;
    }
}
