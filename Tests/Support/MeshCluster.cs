using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.TestingHost;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Hosting;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Security;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// An Orleans cluster in this process whose silos are nodes of a mesh: real grains, real agents, our own Orleans settings, devices in
/// memory. Silo <c>i</c> is node <c>node-i</c>. A device outlives its silo, as a real one does.
/// </summary>
internal sealed class MeshCluster : IAsyncDisposable
{
    private const int MaxNodes = 10;

    // Nothing here takes longer than a second or two; this is for a machine that is busy with something else.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly InProcessTestCluster _cluster;
    private readonly Dictionary<string, FakeWireGuardClient> _devices;
    private readonly Dictionary<string, FakeLinkClient> _links;

    // Silos of a chosen name, which the test host starts but does not keep.
    private readonly List<InProcessSiloHandle> _later = [];

    private MeshCluster(
        InProcessTestCluster cluster, Dictionary<string, FakeWireGuardClient> devices, Dictionary<string, FakeLinkClient> links) =>
        (_cluster, _devices, _links) = (cluster, devices, links);

    /// <summary>What our parts of all silos logged, from Information on.</summary>
    public required LogRecorder Logs { get; init; }

    /// <summary>A client outside the silos.</summary>
    public IGrainFactory Client => _cluster.Client;

    /// <summary>The names of the nodes whose silos run.</summary>
    public IReadOnlyList<string> NodeNames => [.. Silos.Select(silo => NodeName(silo.Name)).Order(StringComparer.Ordinal)];

    /// <summary>Starts a mesh and waits until its silos are members.</summary>
    /// <param name="nodes">How many silos.</param>
    /// <param name="timeProvider">Drives grain timers, schedules and time-outs of ours; the real clock by default.</param>
    /// <param name="period">Length of an epoch; a day by default, so that nothing rotates by itself.</param>
    /// <param name="wrongClock">
    /// A clock of its own for a node; by default, and where it gives none, <paramref name="timeProvider"/>.
    /// </param>
    /// <param name="pathDelay">How long it takes longer to ask another silo for a path and its clock.</param>
    /// <param name="prefixes">What the nodes have for their pods; by default what the list of nodes says.</param>
    public static async Task<MeshCluster> StartAsync(
        int nodes, TimeProvider? timeProvider =
            null, TimeSpan? period = null, Func<string, TimeProvider?>? wrongClock = null, TimeSpan pathDelay = default,
        Func<string, IOwnPrefixSource>? prefixes = null)
    {
        var length = period ?? TimeSpan.FromDays(1);
        var logs = new LogRecorder();
        var running = new ConcurrentDictionary<SiloAddress, IClusterMembershipService>();
        var links = Enumerable.Range(0, MaxNodes).ToDictionary(Name, _ => new FakeLinkClient());
        var devices = links.ToDictionary(link => link.Key, link => new FakeWireGuardClient(link.Value));
        var builder = new InProcessTestClusterBuilder((short)nodes);
        builder.ConfigureSilo((options, silo) =>
        {
            var name = NodeName(options.SiloName);
            if ((wrongClock?.Invoke(name) ?? timeProvider) is { } clock)
            {
                silo.Services.AddSingleton(clock);
                silo.Services.AddKeyedSingleton(TimeProviderNames.Grains, clock);

                // Probes, time-outs and housekeeping of Orleans go on by the real clock, or a leap of ours looks like a hang to them.
                string[] background =
                [
                    TimeProviderNames.Messaging, TimeProviderNames.SystemTimers, TimeProviderNames.Membership,
                    TimeProviderNames.ActivationManagement, TimeProviderNames.GrainDirectory,
                ];
                foreach (var area in background)
                {
                    silo.Services.AddKeyedSingleton(area, TimeProvider.System);
                }
            }

            silo.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning)
                .AddFilter("Orleans.Runtime.Silo", LogLevel.Error).AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error).AddConsole()
                .AddFilter<LogRecorder>("Orleans.WireGuard", LogLevel.Information).AddProvider(logs));
            if (prefixes is not null)
            {
                silo.Services.AddSingleton(prefixes(name));
            }

            silo.AddWireGuardGrains().UseSiloDefaults().UseSiloSecurity();

            // The client of the test host asks each silo for its view.
            silo.Configure<ClientAccessOptions>(access => access.SystemTargets.Add("ITestHooks"));

            // The table of the test host has no watch. Who dies is seen by reading it.
            silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services => new MembershipNews(
                running, services.GetRequiredService<ILocalSiloDetails>(), services.GetRequiredService<IClusterMembershipService>()));
            silo.Configure<ClusterMembershipOptions>(membership => membership.TableRefreshTimeout = TimeSpan.FromMilliseconds(200));
            silo.Services.PostConfigure<SiloOptions>(silo => silo.SiloName = name);
            silo.Services.Configure<RotationOptions>(rotation => rotation.Period = length);
            silo.Services.Configure<DeviceOptions>(device => device.StartUserspace = true);
            if (pathDelay > TimeSpan.Zero)
            {
                // A busy machine adds to the delay, and who has not answered by then is not waited for.
                silo.Services.Configure<DeliveryOptions>(delivery => delivery.AttemptTimeout = TimeSpan.FromSeconds(5));
            }

            silo.Services.AddSingleton<INodeRosterSource>(new FakeRosterSource(MaxNodes));
            silo.Services.AddSingleton<IWireGuardClient>(devices[name]);
            silo.Services.AddSingleton<ILinkClient>(links[name]);
            silo.Services.AddSingleton<IPathProbe>(new FakePathProbe());
            silo.Services.AddSingleton<IFirewall>(new FakeFirewall());
            silo.Services.AddSingleton<IWitness>(new FakeWitness());
            silo.Services.AddSingleton<INetworkDump>(new FakeNetworkDump());
            silo.Services.AddSingleton<PeerServiceClient>();
            silo.Services.AddSingleton(
                services => new LossyPeerServiceClient(services.GetRequiredService<PeerServiceClient>()) { PathDelay = pathDelay });
            silo.Services.Replace(
                ServiceDescriptor.Singleton<IPeerServiceClient>(services => services.GetRequiredService<LossyPeerServiceClient>()));
            silo.Services.AddMeshAgent();
        });
        var cluster = builder.Build();
        await cluster.DeployAsync();
        return new MeshCluster(cluster, devices, links) { Logs = logs };
    }

    /// <summary>The NodeGrain of a node, called from outside.</summary>
    public INodeGrain Node(string name) => Client.GetGrain<INodeGrain>(name);

    /// <summary>The PeerGrain of a node, called from outside.</summary>
    public IPeerGrain Peer(string name) => Client.GetGrain<IPeerGrain>(name);

    /// <summary>The devices of a node, whether its silo runs or not.</summary>
    public FakeWireGuardClient Devices(string name) => _devices[name];

    /// <summary>The links and routes of a node.</summary>
    public FakeLinkClient Links(string name) => _links[name];

    /// <summary>The services of a node's silo.</summary>
    public IServiceProvider Services(string name) => Handle(name).ServiceProvider;

    /// <summary>Asks the mesh as <c>owg status</c> does.</summary>
    public Task<MeshSnapshot> GetSnapshotAsync() => Client.GetGrain<IMeshGrain>(IMeshGrain.DefaultMesh).GetSnapshot();

    /// <summary>Ends a silo without letting it say goodbye, and waits until the others know.</summary>
    public async Task KillAsync(string name)
    {
        var handle = Handle(name);
        await _cluster.KillSiloAsync(handle);
        _later.Remove(handle);
        var survivors = NodeNames.Select(survivor => Services(survivor).GetRequiredService<IClusterMembershipService>()).ToList();
        await EventuallyAsync(
            () => survivors.All(survivor => !survivor.CurrentSnapshot.Members.TryGetValue(handle.SiloAddress, out var member)
                || member.Status == SiloStatus.Dead),
            $"the others to know that {name} is dead");
    }

    /// <summary>Starts the silo of a node that has none.</summary>
    public async Task StartSiloAsync(string name) =>
        _later.Add(await _cluster.StartSiloAsync(int.Parse(name["node-".Length..], CultureInfo.InvariantCulture), _cluster.Options));

    /// <summary>Waits until every running node's device holds the key of every other.</summary>
    public Task UntilAllAgreeAsync() => EventuallyAsync(AllAgree, "all devices to agree on all keys");

    /// <summary>Whether every running node's device holds the key of every other, by the devices themselves.</summary>
    public bool AllAgree() => NodeNames.All(node =>
    {
        var slots = SlotDevices.Slots(Slot.Count).Where(slot => Key(node, slot) is not null).ToList();
        return slots.Count > 0 && slots.All(slot =>
            NodeNames.Where(other => other != node).All(other => HeldKeys(other, node, slot).Contains(Key(node, slot)!.Value)));
    });

    /// <summary>The latest key of a node whose silo runs, as its device has it.</summary>
    public PublicKey? Key(string node) => LatestSlot(node) is { } slot ? Key(node, slot) : null;

    /// <summary>The key that a node's device of a slot uses, whether its silo runs or not.</summary>
    public PublicKey? Key(string node, Slot slot) => Devices(node).Peek(DeviceNames.Default.Of(slot))?.PublicKey;

    /// <summary>What the silo of <paramref name="holder"/> holds of a node.</summary>
    public PeerAnnouncement? Announced(string holder, string node) =>
        Services(holder).GetRequiredService<AnnouncementStore>().Announcements.GetValueOrDefault(node);

    /// <summary>
    /// The keys that <paramref name="holder"/> has for the pods of <paramref name="node"/> in the slot of that node's latest key.
    /// </summary>
    public IReadOnlyList<PublicKey> HeldKeys(string holder, string node) =>
        LatestSlot(node) is { } slot ? HeldKeys(holder, node, slot) : [];

    /// <summary>The keys that the device of <paramref name="holder"/> for a slot has for the pods of <paramref name="node"/>.</summary>
    public IReadOnlyList<PublicKey> HeldKeys(string holder, string node, Slot slot)
    {
        var podCIDR = FakeRosterSource.Node(int.Parse(node["node-".Length..], CultureInfo.InvariantCulture)).PodCIDRs[0];
        return [.. (Devices(holder).Peek(DeviceNames.Default.Of(slot))?.Peers ?? [])
            .Where(peer => peer.AllowedIPs.Contains(podCIDR)).Select(peer => peer.PublicKey)];
    }

    /// <summary>Waits for a condition and says which one never came.</summary>
    public static Task EventuallyAsync(Func<bool> condition, string what) =>
        EventuallyAsync(() => Task.FromResult(condition()), what);

    /// <summary>Waits for a condition that has to be asked for, and says which one never came.</summary>
    public static async Task EventuallyAsync(Func<Task<bool>> condition, string what)
    {
        var deadline = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(deadline) < Patience, $"Waited {Patience.TotalSeconds} s in vain for {what}.");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var silo in _later)
        {
            await silo.DisposeAsync();
        }

        await _cluster.DisposeAsync();
        foreach (var device in _devices.Values)
        {
            device.Dispose();
        }
    }

    private static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"node-{number}");

    // The test host calls its silos Silo_0, Silo_1 and so on.
    private static string NodeName(string siloName) => siloName.StartsWith("node-", StringComparison.Ordinal)
        ? siloName
        : "node-" + siloName[(siloName.LastIndexOf('_') + 1)..];

    // Which slot that is depends on the epoch, and by a real clock on the day.
    private Slot? LatestSlot(string node) => Services(node).GetRequiredService<KeyRing>().Keys.MaxBy(key => key.ServesEpoch)?.Slot;

    private IEnumerable<InProcessSiloHandle> Silos => _cluster.Silos.Concat(_later);

    private InProcessSiloHandle Handle(string name) => Silos.Single(silo => NodeName(silo.Name) == name);
}
