using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// The agent of node 1 and everything it works with, in memory: sources that the test sets, devices and links that behave, a clock that
/// stands still. Nothing happens by itself.
/// </summary>
internal sealed class AgentHarness : IAsyncDisposable
{
    // Nothing here waits for the real clock, so only what hangs takes this long.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Identity _identity = new();
    private readonly CancellationTokenSource _watchdog = CancellationTokenSource.CreateLinkedTokenSource(
        TestContext.Current.CancellationToken);
    private bool _isStarted;

    /// <summary>Makes an agent that has not been started, and that reads its device only when there is a reason.</summary>
    /// <param name="others">The other nodes, in roster and membership.</param>
    public AgentHarness(params int[] others)
        : this(new DeviceOptions().ResyncInterval, others)
    {
    }

    /// <summary>Makes an agent that has not been started.</summary>
    /// <param name="poll">How often it reads its device without a reason.</param>
    /// <param name="others">The other nodes, in roster and membership.</param>
    public AgentHarness(TimeSpan poll, params int[] others)
        : this(poll, slots: 1, others)
    {
    }

    /// <summary>Makes an agent that has not been started.</summary>
    /// <param name="poll">How often it reads its devices without a reason.</param>
    /// <param name="slots">How many devices it has.</param>
    /// <param name="others">The other nodes, in roster and membership.</param>
    /// <param name="isUserspace">Whether its devices are those of wireguard-go.</param>
    /// <param name="names">What its devices are called; the default if not given.</param>
    public AgentHarness(TimeSpan poll, int slots, int[] others, bool isUserspace = false, string[]? names = null)
    {
        Array.ForEach(names ?? [], DeviceOptions.Names.Add);
        DeviceOptions.PollInterval = poll;
        _watchdog.CancelAfter(Patience);
        Devices = new FakeWireGuardClient(Links) { IsUserspace = isUserspace };
        Links.OnRenamed = Devices.FollowRename;
        Roster.Set(TestMesh.Roster([1, .. others]));
        Membership = new FakeMembership([1, .. others]);
        Store = TestMesh.Store(Roster, Membership, Time);
        var inForce = new EncryptionInForce(Encryption);
        Pass = new ReconcilePass(
            Devices,
            Links,
            Probe,
            new FirewallReconciler(Firewall, NullLogger<FirewallReconciler>.Instance),
            new RealityReconciler(Dump, Witness, Links, inForce, Time, NullLogger<RealityReconciler>.Instance),
            inForce,
            Watch,
            Ring,
            Store,
            TestMesh.Addresses(Store, Roster, Membership.Members, Time),
            Own,
            Membership.Members,
            Options.Create(DeviceOptions),
            Options.Create(new RotationOptions { Slots = slots }),
            Time,
            NullLogger<ReconcilePass>.Instance);
        Agent = new MeshAgent(Pass, Options.Create(DeviceOptions), Time, LoggerFactory.Create(logging => logging.AddProvider(Logs))
            .CreateLogger<MeshAgent>());
    }

    /// <summary>What the loop logs.</summary>
    public LogRecorder Logs { get; } = new();

    /// <summary>Ends waits that would hang.</summary>
    public CancellationToken Token => _watchdog.Token;

    /// <summary>How the device is set up.</summary>
    public DeviceOptions DeviceOptions { get; } = new() { StartUserspace = true };

    /// <summary>What is refused; permissive by default, so that the counts of writes are those of the device and its routes.</summary>
    public OptionsMonitor<EncryptionOptions> Encryption { get; } = new(new EncryptionOptions { Mode = EncryptionMode.Permissive });

    /// <summary>What is dropped.</summary>
    public FakeFirewall Firewall { get; } = new();

    /// <summary>What is counted at the wire.</summary>
    public FakeWitness Witness { get; } = new();

    /// <summary>What the kernel shows of everybody.</summary>
    public FakeNetworkDump Dump { get; } = new();

    /// <summary>The clock.</summary>
    public WaitableTimeProvider Time { get; } = new(TestMesh.Start);

    /// <summary>Links and routes.</summary>
    public FakeLinkClient Links { get; } = new();

    /// <summary>What is asked of the routers on the way.</summary>
    public FakePathProbe Probe { get; } = new();

    /// <summary>Devices.</summary>
    public FakeWireGuardClient Devices { get; }

    /// <summary>Who the nodes are.</summary>
    public FakeRosterSource Roster { get; } = new(0);

    /// <summary>Whose silos are members.</summary>
    public FakeMembership Membership { get; }

    /// <summary>What the others announced.</summary>
    public AnnouncementStore Store { get; }

    /// <summary>Which links and addresses concern it.</summary>
    public KernelWatch Watch { get; } = new(DeviceNames.Default.All);

    /// <summary>Who acknowledged this node's announcement.</summary>
    public OwnAnnouncement Own { get; } = new();

    /// <summary>This node's keys.</summary>
    public KeyRing Ring { get; } = new();

    /// <summary>One pass, without the loop around it.</summary>
    public ReconcilePass Pass { get; }

    /// <summary>The loop.</summary>
    public MeshAgent Agent { get; }

    /// <summary>The device of slot 0 as it is.</summary>
    public Device Device => Devices.Peek("cilium_wg0")!;

    /// <summary>How often the system was told to change anything.</summary>
    public int Writes => Devices.Calls.Count(call => call.Operation is not nameof(IWireGuardClient.TryGetDeviceAsync))
        + Links.Calls.Count(call => !call.Operation.StartsWith("Get", StringComparison.Ordinal)
            && !call.Operation.StartsWith("TryGet", StringComparison.Ordinal)
            && !call.Operation.StartsWith("Find", StringComparison.Ordinal));

    /// <summary>Puts a new key into the ring.</summary>
    /// <returns>Its public half.</returns>
    public PublicKey MakeKey()
    {
        var pair = KeyPair.Create();
        _ = Ring.Replace(new SlotKey(Slot.Zero, pair, new Epoch(1), Time.GetUtcNow()));
        return pair.PublicKey;
    }

    /// <summary>A key, every source answered, and an announcement of each of the others.</summary>
    public AgentHarness Settled(params int[] others)
    {
        MakeKey();
        Store.MarkSynced();
        Array.ForEach(others, node => Announce(node));
        return this;
    }

    /// <summary>Has another node announce itself.</summary>
    public void Announce(int node, PublicKey? key = null, long revision = 0) => Announce(TestMesh.Announce(node, key, revision));

    /// <summary>Has another node announce this.</summary>
    public void Announce(PeerAnnouncement announcement) =>
        Assert.Equal(AnnouncementOutcome.Held, Store.Offer(_identity.Sign(announcement)).Outcome);

    /// <summary>Announces this node's key, and has some nodes acknowledge it.</summary>
    public void Publish(long revision, params int[] acknowledgedBy)
    {
        var announcement = TestMesh.Announce(_identity, 1, Ring.Find(Slot.Zero)!.KeyPair.PublicKey, revision);
        Own.Begin(announcement, Time.GetUtcNow());
        foreach (var node in acknowledgedBy)
        {
            Own.Record(
                announcement.Sequence, FakeMembership.Silo(node), TestMesh.Name(node), AnnouncementOutcome.Applied, null, TimeSpan.Zero);
        }
    }

    /// <summary>Starts the loop, and waits until its first pass is over and it waits for work.</summary>
    /// <returns>How long it will wait.</returns>
    public async Task<TimeSpan> StartAsync()
    {
        await Agent.StartAsync(Token);
        _isStarted = true;
        return await NextWaitAsync();
    }

    /// <summary>Waits until the loop waits for work.</summary>
    /// <returns>How long it will wait.</returns>
    public async Task<TimeSpan> NextWaitAsync() => await Time.NextWaitAsync(Token);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_isStarted)
        {
            await Agent.StopAsync(CancellationToken.None);
        }

        Agent.Dispose();
        Devices.Dispose();
        Ring.Dispose();
        _identity.Dispose();
        _watchdog.Dispose();
    }
}
