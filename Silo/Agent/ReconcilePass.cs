using System.Globalization;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>One pass: observe, plan, apply, observe what came of it.</summary>
/// <remarks>
/// Not all can be planned at once, because each write is safe only after the one before it, and the last depends on what the devices prove
/// once they have been written:
/// <code>
/// observe  the sources and the devices                     MeshView
/// plan     what is refused and dropped                     ProtectionPlan
/// apply    that, then the links of the devices                              nothing leaves in clear from here on (I7)
/// observe  the devices and the routes                      PassObservation
/// plan     the slot of each node, handshakes, devices      PathPlan, DesiredDevice
/// apply    the devices
/// observe  both again                                      PassObservation
/// plan     the tunnels, by what is proven now (I2)         PathPlan, routes
/// apply    the tunnels, then what nobody wants any more
/// observe  ways, witness, counters                         PassResult
/// </code>
/// Holds no rules; those are in the pure parts beside it. Not thread-safe: the agent runs one pass at a time.
/// </remarks>
internal sealed class ReconcilePass
{
    // A handshake on a healthy underlay takes milliseconds, and traffic moves when it is seen.
    private static readonly TimeSpan HandshakeCheckInterval = TimeSpan.FromMilliseconds(100);

    private readonly ILinkClient _links;
    private readonly RouteReconciler _routes;
    private readonly FirewallReconciler _firewall;
    private readonly RealityReconciler _reality;
    private readonly EncryptionInForce _encryption;
    private readonly UnderlayPaths _paths;
    private readonly EndpointChooser _endpoints;
    private readonly KeyRing _ring;
    private readonly AnnouncementStore _store;
    private readonly AddressStore _addresses;
    private readonly OwnAnnouncement _own;
    private readonly MeshMembers _members;
    private readonly TimeProvider _timeProvider;
    private readonly SteadyClock _steady;
    private readonly DriftLog _drifts;
    private readonly WayInspector _ways;
    private readonly PathPlanner _planner = new();
    private readonly ReceptionTracker _receptions = new();
    private readonly MoveTracker _moves = new();
    private readonly SilentPeers _silent;
    private readonly SlotReconciler _slots;
    private readonly LeftoverDevice _leftover;
    private readonly FormerDevices _former;
    private readonly DeviceNames _names;
    private readonly IReadOnlyList<ushort> _tunnelPorts;
    private IReadOnlyDictionary<string, PathStatus> _nodePaths = new Dictionary<string, PathStatus>();

    /// <summary>Made once for each silo.</summary>
    public ReconcilePass(
        IWireGuardClient devices,
        ILinkClient links,
        IPathProbe probe,
        FirewallReconciler firewall,
        RealityReconciler reality,
        EncryptionInForce encryption,
        KernelWatch watch,
        KeyRing ring,
        AnnouncementStore store,
        AddressStore addresses,
        OwnAnnouncement own,
        MeshMembers members,
        IOptions<DeviceOptions> options,
        IOptions<RotationOptions> rotation,
        TimeProvider timeProvider,
        ILogger<ReconcilePass> logger)
    {
        (_links, _firewall, _reality, _encryption) = (links, firewall, reality, encryption);
        _names = options.Value.DeviceNames;
        _routes = new RouteReconciler(links);
        _paths = new UnderlayPaths(links, watch, options.Value.Mtu == 0 ? probe : null, new SteadyClock(timeProvider));
        _tunnelPorts = [.. SlotDevices.Slots(rotation.Value.Slots).Select(slot => (ushort)(options.Value.ListenPort + slot.Index))];
        (_ring, _store, _addresses, _own, _members, _timeProvider) = (ring, store, addresses, own, members, timeProvider);
        _endpoints = new EndpointChooser(_paths, _planner.Clock);
        _steady = new SteadyClock(timeProvider);
        _drifts = new DriftLog(timeProvider, logger);
        _ways = new WayInspector(links, watch, _names, logger);
        _silent = new SilentPeers(timeProvider, logger);
        _former = new FormerDevices(devices, _names, logger);
        _leftover = new LeftoverDevice(_names.One, devices, rotation.Value, timeProvider, logger);
        var slots = SlotDevices.Slots(rotation.Value.Slots).Select(slot => new DeviceReconciler(
            slot, devices, links, watch, _paths, _endpoints, members, _planner, _drifts, options.Value, timeProvider, _steady, logger));
        _slots = new SlotReconciler([.. slots], _routes);
    }

    /// <summary>What others changed since this silo started.</summary>
    public EquatableArray<DriftCount> Drifts => _drifts.Counts;

    /// <summary>The key pair that a former silo left on a slot's device. May run beside a pass: it only reads.</summary>
    /// <inheritdoc cref="DeviceReconciler.ReadKeyPairAsync"/>
    public Task<KeyPair?> ReadKeyPairAsync(Slot slot, CancellationToken cancellationToken) =>
        _slots.ReadKeyPairAsync(TakeView(), slot, cancellationToken);

    /// <summary>
    /// Whether what the kernel told of is another than the last pass left it. Our own writes are told of too, and so is much that changes
    /// nothing. Only reads, and no device, which costs most in a large mesh.
    /// </summary>
    /// <exception cref="LinuxException">The system refused something.</exception>
    public async Task<bool> HasChangedAsync(KernelNews news, CancellationToken cancellationToken)
    {
        _reality.Hear(news);

        // A link that packs what others send: until somebody has looked, it may do so in clear.
        return news.HasFlag(KernelNews.Lost)
            || (news.HasFlag(KernelNews.Encapsulation) && !_encryption.Configured.EncapsulationChoice.IsOff)
            || (news.HasFlag(KernelNews.Devices) && await _slots.HaveLinksChangedAsync(cancellationToken))
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
        var (found, areOurs) = await _slots.FindAsync(view, cancellationToken);
        if (!areOurs || (found.Count == 0 && view.Keys.Count == 0))
        {
            // A device without a key is of no use to anybody, and a silo that fails to start must not leave anything behind.
            return Result(view, found, isAwaiting: false, isApplied: false);
        }

        // Before anything is refused: strict mode that begins with a wrong idea of the pods' addresses cuts a healthy cluster.
        var isLook = isResync || _reality.IsDue;
        if (isLook)
        {
            await _reality.LookAsync(view, _paths, _names.All, _tunnelPorts, cancellationToken);
        }

        view = view with { LeadsToNodes = !_reality.IsUnderlayStrict, Encapsulation = _reality.Encapsulation };

        // Before a device is made or changed, so that in strict mode no packet leaves or enters in clear meanwhile (invariant I7).
        var protection = ProtectionPlan.Build(view, _encryption.CurrentValue, _links.Table);
        await _routes.ProtectAsync(protection, isResync, cancellationToken);
        _reality.NoteEncapsulation(_routes.EncapsulationFault);

        // What cannot be led is found to be in clear, rather than cut.
        var firewall = _routes.EncapsulationFault is null ? protection.Firewall : protection.Firewall with { Packets = [] };
        await _firewall.ReconcileAsync(firewall, isResync, cancellationToken);
        await _former.RemoveAsync(view, _routes.AllRoutes, cancellationToken);
        var devices = await _slots.BringUpAsync(view, found, isResync, cancellationToken);

        // By the devices as they are once they are up: one that was just made has a peer to shake hands with too.
        ForgetGone(view, isResync);
        NotePeers(devices);
        var before = Observe(view, devices, _routes.Routes);
        _planner.Note(before);
        var plan = _planner.Plan(before);
        var (desired, configured) = await _slots.ConfigureAsync(view, plan, devices, isResync, cancellationToken);
        await _firewall.LimitSegmentsAsync(_slots.SegmentLimits, isResync, cancellationToken);
        if (isResync)
        {
            _paths.Settle();
        }

        NoteSilence(view, configured, plan);
        await NoteReceptionsAsync(view, configured, cancellationToken);
        _routes.NoteDrift(_drifts, _slots.LostLinks);

        // A handshake may be complete by now, and a path is proven by the device and not by the plan.
        var after = Observe(view, configured, await _routes.ObserveAsync(cancellationToken));
        _planner.Note(after);
        var proven = _planner.Look(after);
        var paths = proven.FindDevices(_names);
        var tunnels = DesiredState.BuildRoutes(view, desired, paths, after.Routes, proven.Proven);
        await _routes.ConnectAsync(protection, tunnels, cancellationToken);
        await _routes.ConnectEncapsulatedAsync(protection, view, paths, proven.Proven, cancellationToken);
        _moves.Note(after.Current, proven.Paths, _steady.Now);
        _nodePaths = proven.Paths;

        await _ways.InspectAsync(view, _routes.Routes, isResync, cancellationToken);
        await _leftover.RemoveIfUnusedAsync(view, _routes.AllRoutes, cancellationToken);
        if (isLook)
        {
            _drifts.Note(await _reality.CountAsync(view, _paths, _names.All, _tunnelPorts, cancellationToken));
        }

        return Result(view, configured, proven.IsAwaiting, isApplied: view.IsComplete);
    }

    private MeshView TakeView() =>
        new(
            _members.LocalNodeName, _ring.Keys, _store.Announcements, _addresses.Roster, _store.IsSynced, _ring.IsSettled,
            _addresses.FindGranted)
        {
            DeviceNames = _names,
            CarriesNodes = _encryption.Configured.NodeAddresses,
        };

    private void ForgetGone(MeshView view, bool isResync)
    {
        _planner.Forget(view);
        _endpoints.ForgetExcept(view.OtherNames);
        if (isResync)
        {
            _paths.Forget();
        }
    }

    private void NotePeers(Dictionary<Slot, Device> devices)
    {
        foreach (var (slot, device) in devices)
        {
            _planner.Clock.Observe(slot, device, _steady.Now, _timeProvider.GetUtcNow());
        }
    }

    private PassObservation Observe(MeshView view, Dictionary<Slot, Device> devices, EquatableArray<Route> routes)
    {
        var applied = _own.AppliedNodes(_members.Others.Select(other => other.Silo));
        return new PassObservation(view, devices, routes, _own.Latest, applied, _steady.Now);
    }

    private void NoteSilence(MeshView view, Dictionary<Slot, Device> devices, PathPlan plan)
    {
        var now = _steady.Now;
        var active = _members.OtherNames;
        var awaited = plan.Wanted.Select(handshake => handshake.Other.NodeName).ToHashSet(StringComparer.Ordinal);
        var others = view.Others.Where(other => active.Contains(other.NodeName));
        _silent.Note(NodePairBuilder.Build(others, devices, _endpoints, awaited, now), now);
    }

    private async Task NoteReceptionsAsync(MeshView view, Dictionary<Slot, Device> devices, CancellationToken cancellationToken)
    {
        foreach (var (slot, device) in devices)
        {
            var traffic = await _links.GetTrafficAsync(_names.Of(slot), cancellationToken);
            _receptions.Note(slot, device, traffic.ReceivedPackets, view.NodeNamesOf(slot), _steady.Now);
        }

        _receptions.ForgetExcept(view.OtherNames);
    }

    private PassResult Result(MeshView view, Dictionary<Slot, Device> devices, bool isAwaiting, bool isApplied)
    {
        var problem = FindProblem(view) ?? FindUnsteered(view) ?? _ways.Problem ?? _reality.Problem;
        var snapshot = new AgentSnapshot(_slots.ToStatus(view, devices), problem, CompletedPasses: 0)
        {
            Drifts = _drifts.Counts,
            DroppedPackets = _firewall.DroppedPackets,
            DroppedOutgoingPackets = _firewall.DroppedOutgoingPackets,
            SilentPeers = _silent.Current,
            Paths = _nodePaths.Values.OrderBy(path => path.NodeName, StringComparer.Ordinal).ToEquatableArray(),
            Receptions = _receptions.Receptions,
            HandshakeRetries = _planner.Retries,
            Moves = _moves.Moves,
            Findings = _reality.Findings,
            Witness = _reality.Witness,
            NodeAddresses = _reality.NodeAddresses,
            Encapsulations = _routes.EncapsulationFault is null ? _reality.Encapsulation?.Packets : [],
            IsStrictWithheld = _reality.IsStrictWithheld,
        };
        return new PassResult(snapshot, isAwaiting ? HandshakeCheckInterval : null, isApplied);
    }

    private static NodeProblem? FindUnsteered(MeshView view)
    {
        const int MaxTold = 3;
        return view.Facts is not { NotSteered: { Count: > 0 } left } ? null : NodeProblem.Of(
            NodeProblemCode.PodsNotSteered,
            [
                left.Count.ToString(CultureInfo.InvariantCulture),
                SteeredSources.Max.ToString(CultureInfo.InvariantCulture),
                .. left.Take(MaxTold).Select(prefix => prefix.ToString()),
            ]);
    }

    private static NodeProblem? FindProblem(MeshView view) =>
        view.Roster is null ? NodeProblem.Of(NodeProblemCode.WaitsForNodes)
        : !view.IsSynced ? NodeProblem.Of(NodeProblemCode.WaitsForSilo)
        : view.Keys.Count == 0 ? NodeProblem.Of(NodeProblemCode.HasNoKey)
        : null;
}
