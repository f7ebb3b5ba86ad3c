using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Timers;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// The NodeGrain of node 1, with two slots and without Orleans: sources that the test sets, devices that do what they are told, a
/// clock that stands still. Nothing happens by itself.
/// </summary>
internal sealed class NodeGrainHarness : IMeshAgent, ITimerRegistry, IDisposable
{
    private readonly SerialScheduler _turns = new();
    private readonly Identity _identity = new();
    private Func<Task>? _turn;

    /// <summary>Makes a grain with an empty key ring.</summary>
    /// <param name="active">The other nodes with a silo; none by default. Nodes 1 to 3 are in the roster.</param>
    public NodeGrainHarness(params int[] active)
    {
        Membership = new FakeMembership([1, .. active]);
        var members = Membership.Members;
        Roster.Set(TestMesh.Roster(1, 2, 3));
        Clock = new MeshClock(Time, Rotation.Period);
        Store = new AnnouncementStore(Roster, members, Own, Clock, Time);
        var peer = Stub.Of<IPeerGrain>((_, arguments) => new ValueTask<AnnouncementReceipt>(Publish((PeerAnnouncement)arguments[0]!)));
        var client = Stub.Of<IPeerServiceClient>((_, _) => Answer is { } answer ? Task.FromResult(answer) : null);
        Protocol = new MeshProtocol(OwnProtocol.Range, Store, members, Time);
        Grain = new NodeGrain(
            UnhostedGrain.Context(Membership.Name, this, Stub.Of<IGrainFactory>((_, _) => peer)),
            Membership, Ring, _identity, Store, Own, members, this, client, Clock,
            new ClockSurvey(members, client, Clock, Protocol, Time), Protocol,
            new Acceptance(Own, members, Protocol, Time),
            TestMesh.Report(TestMesh.Addresses(Store, Roster, members, Time), Store, Roster, members, Time),
            Options.Create(Rotation), Options.Create(new DeliveryOptions()), Time,
            LoggerFactory.Create(logging => logging.AddProvider(Logs)).CreateLogger<NodeGrain>());
        _ = Grain.OnActivateAsync(CancellationToken.None);
    }

    /// <summary>How it rotates.</summary>
    public RotationOptions Rotation { get; } = new();

    /// <summary>The clock.</summary>
    public WaitableTimeProvider Time { get; } = new(TestMesh.Start);

    /// <summary>Who the nodes are.</summary>
    public FakeRosterSource Roster { get; } = new(0);

    /// <summary>What it logs.</summary>
    public LogRecorder Logs { get; } = new();

    /// <summary>What it speaks with the others.</summary>
    public MeshProtocol Protocol { get; }

    /// <summary>The time of the mesh.</summary>
    public MeshClock Clock { get; }

    /// <summary>Whose silos are members.</summary>
    public FakeMembership Membership { get; }

    /// <summary>The node's keys.</summary>
    public KeyRing Ring { get; } = new();

    /// <summary>What others have announced.</summary>
    public AnnouncementStore Store { get; }

    /// <summary>What it has announced last.</summary>
    public OwnAnnouncement Own { get; } = new();

    /// <summary>Everything that it announced.</summary>
    public List<PeerAnnouncement> Published { get; } = [];

    /// <summary>What the others answer when they are asked through which slot they send; nothing by default.</summary>
    public PathReply? Answer { get; set; }

    /// <summary>What becomes of a pass over the devices.</summary>
    public Func<CancellationToken, Task<bool>> OnReconcile { get; set; } = static _ => Task.FromResult(true);

    /// <summary>The wait that the latest turn ended with.</summary>
    public TimeSpan NextTurn { get; private set; }

    /// <summary>The grain.</summary>
    public NodeGrain Grain { get; }

    /// <inheritdoc/>
    public AgentSnapshot Snapshot { get; set; } = new([], null, 1);

    /// <summary>Puts a key into its slot, and counts the ring as complete.</summary>
    /// <returns>The key.</returns>
    public SlotKey AddKey(Slot slot, long epoch, long servesEpoch)
    {
        var key = new SlotKey(slot, KeyPair.Create(), new Epoch(epoch), Time.GetUtcNow())
        {
            ServesEpoch = new Epoch(
            servesEpoch),
            MadeAt = SteadyTime.Now(Time),
            HeldSince = SteadyTime.Now(Time)
        };
        _ = Ring.Replace(key);
        Ring.Settle();
        return key;
    }

    /// <summary>Has the grain's timer fire.</summary>
    public Task TurnAsync() => _turns.RunAsync(async () =>
    {
        await _turn!();
        return true;
    });

    /// <summary>Calls <see cref="INodeGrain.Rotate"/> as Orleans would: what comes of it runs beside no turn.</summary>
    public Task<RotationReceipt> RotateAsync(CancellationToken cancellationToken) => _turns.RunAsync(() => Grain.Rotate(cancellationToken));

    /// <summary>The same with <see cref="INodeGrain.Advance"/>.</summary>
    public Task<RotationReceipt> AdvanceAsync(CancellationToken cancellationToken) =>
        _turns.RunAsync(() => Grain.Advance(cancellationToken));

    /// <inheritdoc/>
    public ushort GetListenPort(Slot slot) => (ushort)(TestMesh.ListenPort + slot.Index);

    /// <inheritdoc/>
    public void RequestReconcile()
    {
    }

    /// <inheritdoc/>
    public Task<bool> ReconcileAsync(CancellationToken cancellationToken) => OnReconcile(cancellationToken);

    /// <inheritdoc/>
    public Task<KeyPair?> ReadKeyPairAsync(Slot slot, CancellationToken cancellationToken) => Task.FromResult<KeyPair?>(null);

    /// <inheritdoc/>
    public IGrainTimer RegisterGrainTimer<TState>(
        IGrainContext grainContext, Func<TState, CancellationToken, Task> callback, TState state, GrainTimerCreationOptions options)
    {
        _turn = () => callback(state, CancellationToken.None);
        return Stub.Of<IGrainTimer>((method, arguments) =>
        {
            NextTurn = method.Name == nameof(IGrainTimer.Change) ? (TimeSpan)arguments[0]! : NextTurn;
            return null;
        });
    }

    /// <inheritdoc/>
    public IDisposable RegisterTimer(
        IGrainContext grainContext, Func<object?, Task> callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose()
    {
        Ring.Dispose();
        _identity.Dispose();
    }

    private AnnouncementReceipt Publish(PeerAnnouncement announcement)
    {
        Published.Add(announcement);
        Own.Begin(announcement, Time.GetUtcNow());
        return new AnnouncementReceipt(announcement.NodeName, AnnouncementOutcome.Held, announcement.Sequence);
    }
}
