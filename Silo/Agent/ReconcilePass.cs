using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Hosting;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>One pass: read the devices and the routes, compare with what they should be, write the difference, read back.</summary>
/// <remarks>Holds no rules; those are in the pure parts beside it. Not thread-safe: the agent runs one pass at a time.</remarks>
internal sealed class ReconcilePass
{
    // A handshake on a healthy underlay takes milliseconds, and traffic moves when it is seen.
    private static readonly TimeSpan HandshakeCheckInterval = TimeSpan.FromMilliseconds(100);

    private readonly ILinkClient _links;
    private readonly RouteReconciler _routes;
    private readonly FirewallReconciler _firewall;
    private readonly RealityReconciler _reality;
    private readonly UnderlayPaths _paths;
    private readonly EndpointChooser _endpoints;
    private readonly KeyRing _ring;
    private readonly AnnouncementStore _store;
    private readonly DeliveryLedger _ledger;
    private readonly MeshMembers _members;
    private readonly TimeProvider _timeProvider;
    private readonly SteadyClock _steady;
    private readonly DriftLog _drifts;
    private readonly WayInspector _ways;
    private readonly PathPlanner _planner = new();
    private readonly ReceptionTracker _receptions = new();
    private readonly MoveTracker _moves = new();
    private readonly SilentPeers _silent;
    private readonly DeviceReconciler[] _slots;
    private readonly LeftoverDevice _leftover;
    private readonly IReadOnlyList<ushort> _tunnelPorts;
    private IReadOnlyDictionary<string, PathStatus> _nodePaths = new Dictionary<string, PathStatus>();

    /// <summary>Made once for each silo.</summary>
    public ReconcilePass(
        IWireGuardClient devices,
        ILinkClient links,
        RouteReconciler routes,
        FirewallReconciler firewall,
        RealityReconciler reality,
        KernelWatch watch,
        KeyRing ring,
        AnnouncementStore store,
        DeliveryLedger ledger,
        MeshMembers members,
        IOptions<DeviceOptions> options,
        IOptions<RotationOptions> rotation,
        TimeProvider timeProvider,
        ILogger<ReconcilePass> logger)
    {
        (_links, _routes, _firewall, _reality, _paths) = (links, routes, firewall, reality, new UnderlayPaths(links, watch));
        _tunnelPorts = [.. SlotDevices.Slots(rotation.Value.Slots).Select(slot => (ushort)(options.Value.ListenPort + slot.Index))];
        (_ring, _store, _ledger, _members, _timeProvider) = (ring, store, ledger, members, timeProvider);
        _endpoints = new EndpointChooser(_paths, _planner.Clock);
        _steady = new SteadyClock(timeProvider);
        _drifts = new DriftLog(timeProvider, logger);
        _ways = new WayInspector(links, watch, logger);
        _silent = new SilentPeers(timeProvider, logger);
        _leftover = new LeftoverDevice(devices, rotation.Value, timeProvider, logger);
        _slots = [.. SlotDevices.Slots(rotation.Value.Slots).Select(slot => new DeviceReconciler(
            slot, devices, links, watch, _paths, _endpoints, members, _planner, _drifts, options.Value, timeProvider, _steady, logger))];
    }

    /// <summary>What others changed since this silo started.</summary>
    public EquatableArray<DriftCount> Drifts => _drifts.Counts;

    /// <summary>The key pair that a former silo left on a slot's device. May run beside a pass: it only reads.</summary>
    /// <inheritdoc cref="DeviceReconciler.ReadKeyPairAsync"/>
    public async Task<KeyPair?> ReadKeyPairAsync(Slot slot, CancellationToken cancellationToken) =>
        slot.Index < _slots.Length ? await _slots[slot.Index].ReadKeyPairAsync(TakeView(), cancellationToken) : null;

    /// <summary>
    /// Whether what the kernel told of is another than the last pass left it. Our own writes are told of too, and so is much that changes
    /// nothing. Only reads, and no device, which costs most in a large mesh.
    /// </summary>
    /// <exception cref="LinuxException">The system refused something.</exception>
    public async Task<bool> HasChangedAsync(KernelNews news, CancellationToken cancellationToken)
    {
        _reality.Hear(news);
        return news.HasFlag(KernelNews.Lost)
            || (news.HasFlag(KernelNews.Devices) && await HasAnyLinkChangedAsync(cancellationToken))
            || (news.HasFlag(KernelNews.Routes) && await _routes.HaveChangedAsync(cancellationToken))
            || (news.HasFlag(KernelNews.Firewall) && await _firewall.HasChangedAsync(cancellationToken))
            || (news.HasFlag(KernelNews.Underlay) && await _paths.HaveChangedAsync(cancellationToken))
            || (news.HasFlag(KernelNews.Ways) && await _ways.HaveChangedAsync(cancellationToken));
    }

    /// <summary>Runs a pass.</summary>
    /// <param name="isResync">Whether to read links, routes and rules again, instead of trusting what this process wrote last.</param>
    /// <param name="cancellationToken">Ends the pass between two calls.</param>
    /// <exception cref="LinuxException">The system refused something. The next pass begins with reading.</exception>
    public async Task<PassResult> RunAsync(bool isResync, CancellationToken cancellationToken)
    {
        var view = TakeView();
        var devices = new Dictionary<Slot, Device>();
        foreach (var slot in _slots)
        {
            if (await slot.FindAsync(view, cancellationToken) is { } device)
            {
                devices[slot.Slot] = device;
                if (!await slot.IsOursAsync(view, device, cancellationToken))
                {
                    return Result(view, devices, isAwaiting: false, isApplied: false);
                }
            }
        }

        if (devices.Count == 0 && view.Keys.Count == 0)
        {
            // A device without a key is of no use to anybody, and a silo that fails to start must not leave anything behind.
            return Result(view, devices, isAwaiting: false, isApplied: false);
        }

        // Before anything is refused: strict mode that begins with a wrong idea of the pods' addresses cuts a healthy cluster.
        var isLook = isResync || _reality.IsDue;
        if (isLook)
        {
            await _reality.LookAsync(view, _paths, SlotDevices.Names, cancellationToken);
        }

        // Before a device is made or changed, so that in strict mode no packet leaves or enters in clear meanwhile (invariant I7).
        await _routes.ProtectAsync(view, isResync, cancellationToken);
        await _firewall.ReconcileAsync(view, isResync, cancellationToken);
        foreach (var slot in _slots)
        {
            if (!devices.ContainsKey(slot.Slot))
            {
                devices[slot.Slot] = await slot.MakeAsync(cancellationToken);
                _routes.Forget();
            }

            await slot.BringUpAsync(isResync, view.IsSettled && view.Keys.Any(key => key.Slot == slot.Slot), cancellationToken);
            if (slot.IsRenamedBack || (slot.IsLinkLost && !isResync))
            {
                // A resync has read them already, and counts what others deleted.
                _routes.Forget();
            }
        }

        return await ConfigureAsync(view, devices, isResync, isLook, cancellationToken);
    }

    private async Task<bool> HasAnyLinkChangedAsync(CancellationToken cancellationToken)
    {
        foreach (var slot in _slots)
        {
            if (await slot.HasLinkChangedAsync(cancellationToken))
            {
                return true;
            }
        }

        return false;
    }

    private async Task<PassResult> ConfigureAsync(
        MeshView view, Dictionary<Slot, Device> devices, bool isResync, bool isLook, CancellationToken cancellationToken)
    {
        _planner.Forget(view);
        _endpoints.ForgetExcept(view.Others.Select(other => other.NodeName).ToHashSet(StringComparer.Ordinal));
        foreach (var (slot, device) in devices)
        {
            _planner.Clock.Observe(slot, device, _steady.Now, _timeProvider.GetUtcNow());
        }

        if (isResync)
        {
            _paths.Forget();
        }

        var plan = _planner.Plan(Sources(view, devices, _routes.Routes));
        var desired = new List<DesiredDevice>();
        foreach (var slot in _slots)
        {
            var applied = await slot.ApplyAsync(view, plan, devices[slot.Slot], isResync, cancellationToken);
            desired.Add(applied.Desired);
            devices[slot.Slot] = applied.Observed;
        }

        if (isResync)
        {
            _paths.Settle();
        }

        NoteSilence(view, devices, plan.Awaited);
        await NoteReceptionsAsync(view, devices, cancellationToken);
        _routes.NoteDrift(_drifts, _slots.Where(slot => slot.IsLinkLost).Select(slot => slot.DeviceName).ToHashSet());

        // A handshake may be complete by now, and a path is proven by the device and not by the plan.
        IReadOnlyDictionary<string, Slot> routed = new Dictionary<string, Slot>();
        var moved = plan;
        await _routes.ConnectAsync(view, observed =>
        {
            var sources = Sources(view, devices, observed);
            (routed, moved) = (sources.Current, _planner.Look(sources));
            return DesiredState.BuildRoutes(
                view, desired, moved.Paths.ToDictionary(path => path.Key, path => SlotDevices.Name(path.Value.Slot)), observed);
        }, cancellationToken);
        _moves.Note(routed, moved.Paths, _steady.Now);
        _nodePaths = moved.Paths;
        await _ways.InspectAsync(view, _routes.Routes, isResync, cancellationToken);
        await _leftover.RemoveIfUnusedAsync(view, _routes.Routes, cancellationToken);
        if (isLook)
        {
            _drifts.Note(await _reality.CountAsync(view, _paths, SlotDevices.Names, _tunnelPorts, cancellationToken));
        }

        return Result(view, devices, moved.IsAwaiting, isApplied: true);
    }

    private MeshView TakeView() =>
        new(_members.LocalNodeName, _ring.Keys, _store.Announcements, _store.Roster, _store.IsSynced, _ring.IsSettled);

    private PathSources Sources(MeshView view, Dictionary<Slot, Device> devices, EquatableArray<Route> routes)
    {
        var slots = _slots.ToDictionary(slot => slot.DeviceName, slot => slot.Slot);
        var routed = routes.Where(route => slots.ContainsKey(route.DeviceName))
            .ToDictionary(route => route.Destination, route => slots[route.DeviceName]);
        var current = new Dictionary<string, Slot>(StringComparer.Ordinal);
        foreach (var other in view.Others)
        {
            foreach (var prefix in other.AllowedIPs)
            {
                if (routed.TryGetValue(prefix, out var slot))
                {
                    current[other.NodeName] = slot;
                    break;
                }
            }
        }

        var applied = _ledger.AppliedNodes(_members.Others.Select(other => other.Silo));
        return new PathSources(view, devices, current, _ledger.Announcement, applied, _steady.Now);
    }

    private void NoteSilence(MeshView view, Dictionary<Slot, Device> devices, IReadOnlySet<string> awaited)
    {
        var now = _steady.Now;
        var active = _members.Others.Select(other => other.NodeName).ToHashSet(StringComparer.Ordinal);
        var held = _slots.Select(slot => (slot.Slot, Peers: devices[slot.Slot].Peers.ToDictionary(peer => peer.PublicKey))).ToList();
        _silent.Note([.. view.Others.Where(other => active.Contains(other.NodeName)).Select(Pair)], now);

        NodePair Pair(PeerAnnouncement other)
        {
            var peers = held.Select(slot =>
                (slot.Slot, Peer: other.Find(slot.Slot) is { } announced ? slot.Peers.GetValueOrDefault(announced.PublicKey) : null))
                .Where(found => found.Peer is not null).Select(found => (found.Slot, Peer: found.Peer!)).ToList();
            return new NodePair(
                other.NodeName,
                peers.Any(found => _endpoints.IsAnswering(found.Slot, found.Peer, awaited.Contains(other.NodeName), now)),
                peers.Select(found => _endpoints.AskedSince(found.Slot, found.Peer.PublicKey)).Min() ?? now,
                [.. peers.SelectMany(found => _endpoints.Tried(found.Slot, found.Peer.PublicKey))]);
        }
    }

    private async Task NoteReceptionsAsync(MeshView view, Dictionary<Slot, Device> devices, CancellationToken cancellationToken)
    {
        foreach (var slot in _slots)
        {
            var traffic = await _links.GetTrafficAsync(slot.DeviceName, cancellationToken);
            _receptions.Note(slot.Slot, devices[slot.Slot], traffic.ReceivedPackets, slot.NodeNames(view), _steady.Now);
        }

        _receptions.ForgetExcept(view.Others.Select(other => other.NodeName).ToHashSet(StringComparer.Ordinal));
    }

    private PassResult Result(MeshView view, Dictionary<Slot, Device> devices, bool isAwaiting, bool isApplied) => new(
        _slots.Where(slot => devices.ContainsKey(slot.Slot)).Select(slot => slot.ToStatus(view, devices[slot.Slot])).ToEquatableArray(),
        FindProblem(view) ?? _ways.Problem ?? _reality.Problem,
        isAwaiting ? HandshakeCheckInterval : null,
        isApplied)
    {
        Drifts = Drifts,
        DroppedPackets = _firewall.DroppedPackets,
        DroppedOutgoingPackets = _firewall.DroppedOutgoingPackets,
        SilentPeers = _silent.Current,
        Paths = _nodePaths.Values.OrderBy(path => path.NodeName, StringComparer.Ordinal).ToEquatableArray(),
        Receptions = _receptions.Receptions,
        HandshakeRetries = _planner.Retries,
        Moves = _moves.Moves,
        Findings = _reality.Findings,
        Witness = _reality.Witness,
        IsStrictWithheld = _reality.IsStrictWithheld,
    };

    private static NodeProblem? FindProblem(MeshView view) =>
        view.Roster is null ? NodeProblem.Of(NodeProblemCode.WaitsForNodes)
        : !view.IsSynced ? NodeProblem.Of(NodeProblemCode.WaitsForSilo)
        : view.Keys.Count == 0 ? NodeProblem.Of(NodeProblemCode.HasNoKey)
        : null;
}

/// <summary>The outcome of a pass that succeeded.</summary>
/// <param name="Devices">As read back.</param>
/// <param name="Problem">Why the node is not ready although the devices are as they should be; <see langword="null"/> if it is.</param>
/// <param name="LookAgainAfter">When to look again before the next resync; <see langword="null"/> if there is no need.</param>
/// <param name="IsApplied">
/// Whether the devices now are what they should be; false while there is no key, or nobody can tell whose they are.
/// </param>
internal sealed record PassResult(EquatableArray<DeviceStatus> Devices, NodeProblem? Problem, TimeSpan? LookAgainAfter, bool IsApplied)
{
    /// <inheritdoc cref="AgentSnapshot.Drifts"/>
    public EquatableArray<DriftCount> Drifts { get; init; } = [];

    /// <inheritdoc cref="AgentSnapshot.DroppedPackets"/>
    public long DroppedPackets { get; init; }

    /// <inheritdoc cref="AgentSnapshot.DroppedOutgoingPackets"/>
    public long DroppedOutgoingPackets { get; init; }

    /// <inheritdoc cref="AgentSnapshot.Paths"/>
    public EquatableArray<PathStatus> Paths { get; init; } = [];

    /// <inheritdoc cref="AgentSnapshot.SilentPeers"/>
    public EquatableArray<SilentPeer> SilentPeers { get; init; } = [];

    /// <inheritdoc cref="AgentSnapshot.Receptions"/>
    public EquatableArray<Reception> Receptions { get; init; } = [];

    /// <inheritdoc cref="AgentSnapshot.HandshakeRetries"/>
    public long HandshakeRetries { get; init; }

    /// <inheritdoc cref="AgentSnapshot.Moves"/>
    public EquatableArray<PathMove> Moves { get; init; } = [];

    /// <inheritdoc cref="AgentSnapshot.Findings"/>
    public EquatableArray<Finding> Findings { get; init; } = [];

    /// <inheritdoc cref="AgentSnapshot.Witness"/>
    public WitnessStatus? Witness { get; init; }

    /// <inheritdoc cref="AgentSnapshot.IsStrictWithheld"/>
    public bool IsStrictWithheld { get; init; }
}
