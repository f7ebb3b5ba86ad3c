using System.Net;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// The device of one slot in a pass: find or make it, tell whose it is, notice what others changed, write the difference, read back.
/// </summary>
/// <remarks>Holds no rules; those are in the pure parts beside it.</remarks>
internal sealed partial class DeviceReconciler(
    Slot slot,
    IWireGuardClient devices,
    ILinkClient links,
    KernelWatch watch,
    UnderlayPaths paths,
    EndpointChooser endpoints,
    MeshMembers members,
    PathPlanner planner,
    DriftLog drifts,
    DeviceOptions options,
    TimeProvider timeProvider,
    SteadyClock steady,
    ILogger logger)
{
    private readonly MtuReconciler _mtu = new(links, paths, options, logger);
    private readonly Dictionary<PublicKey, IPEndPoint> _formerEndpoints = [];
    private readonly DeviceAdoption _adoption = new(options.DeviceNames.Of(slot), devices, links, options);
    private readonly RenamedLink _renamed =
        new(options.DeviceNames.Of(slot), (ushort)(options.ListenPort + slot.Index), devices, links, drifts);
    private ExpectedDevice? _expected;
    private Link? _link;
    private SourceCheck? _sourceCheck;

    /// <summary>The slot whose device it keeps.</summary>
    public Slot Slot => slot;

    /// <summary>What its device is to be called.</summary>
    public string DeviceName { get; } = options.DeviceNames.Of(slot);

    /// <summary>MTU of its link in bytes; 0 while that is unknown.</summary>
    public int Mtu => _link?.Mtu ?? 0;

    /// <summary>Whether this pass found the link down or replaced: then its routes are gone and nobody deleted them.</summary>
    public bool IsLinkLost { get; private set; }

    /// <summary>Whether this pass gave the link its name back: then it may have lost its routes.</summary>
    public bool IsRenamedBack { get; private set; }

    /// <summary>Reads the device and counts what others changed on it.</summary>
    /// <returns>The device; <see langword="null"/> if there is none.</returns>
    public async Task<Device?> FindAsync(MeshView view, CancellationToken cancellationToken)
    {
        (IsRenamedBack, IsLinkLost) = (false, false);
        var device = await devices.TryGetDeviceAsync(DeviceName, cancellationToken);
        if (device is null && await FindRenamedAsync(view, cancellationToken) is { } renamed)
        {
            await RenameBackAsync(renamed, cancellationToken);
            device = await devices.TryGetDeviceAsync(DeviceName, cancellationToken);
        }

        if (_expected is { } expected)
        {
            await NoteChangesAsync(expected, device, cancellationToken);
        }

        return device;
    }

    /// <summary>Makes the device, which is ours from then on.</summary>
    /// <exception cref="LinuxException">The name is taken, or the system refused.</exception>
    public async Task<Device> MakeAsync(CancellationToken cancellationToken)
    {
        var transport = TransportText.Describe(devices.Transport);
        LogCreating(logger, DeviceName, transport);

        // The settings of the link went away with the device that was here before.
        (_link, _sourceCheck) = (null, null);
        _mtu.Forget();
        await devices.CreateDeviceAsync(DeviceName, cancellationToken);
        _adoption.NoteMade();
        return await devices.TryGetDeviceAsync(DeviceName, cancellationToken)
            ?? throw new LinuxException($"get {DeviceName}", 0, "the device was made and is gone again");
    }

    /// <inheritdoc cref="DeviceAdoption.IsOursAsync"/>
    public Task<bool> IsOursAsync(MeshView view, Device device, CancellationToken cancellationToken) =>
        _adoption.IsOursAsync(view, device, cancellationToken);

    /// <inheritdoc cref="DeviceAdoption.ReadKeyPairAsync"/>
    public async Task<KeyPair?> ReadKeyPairAsync(MeshView view, CancellationToken cancellationToken)
    {
        var name = DeviceName;
        var device = await devices.TryGetDeviceAsync(name, cancellationToken);
        if (device is null && await FindRenamedAsync(view, cancellationToken) is { } renamed)
        {
            name = renamed.Name;
            device = await devices.TryGetDeviceAsync(name, cancellationToken);
        }

        return device is null ? null : await _adoption.ReadKeyPairAsync(view, name, device, cancellationToken);
    }

    /// <summary>Whether the link is another one than the last pass left. Only reads.</summary>
    public async Task<bool> HasLinkChangedAsync(CancellationToken cancellationToken) =>
        await links.TryGetLinkAsync(DeviceName, cancellationToken) != _link
        || await links.GetSourceCheckAsync(DeviceName, cancellationToken) != _sourceCheck;

    /// <summary>Brings the link up. A port that is taken shows only once it is, so this comes before the peers.</summary>
    /// <param name="isResync">Whether to read the link again, instead of trusting what this process wrote last.</param>
    /// <param name="canMakeAnew">
    /// Whether the key ring has the device's key, so that the device may be made anew if nothing else helps.
    /// </param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task BringUpAsync(bool isResync, bool canMakeAnew, CancellationToken cancellationToken)
    {
        IsLinkLost |= IsRenamedBack;
        if (isResync || _link is null)
        {
            var link = await links.TryGetLinkAsync(DeviceName, cancellationToken) ?? await RecoverLinkAsync(canMakeAnew, cancellationToken);
            var sourceCheck = await links.GetSourceCheckAsync(DeviceName, cancellationToken);
            if (_link is { } expected)
            {
                var changes = DriftDetector.OfLink(expected, link);
                if (expected.Index == link.Index && _sourceCheck is { } expectedCheck)
                {
                    changes = [.. changes, .. DriftDetector.OfSourceCheck(DeviceName, expectedCheck, sourceCheck)];
                }

                drifts.Note(changes);
                IsLinkLost |= changes.Any(change => change.Kind is DriftKind.LinkDown or DriftKind.LinkDeleted or DriftKind.AddressDeleted);
            }

            // What was noted once is known now, also if this pass fails before it could be repaired.
            (_link, _sourceCheck) = (link, sourceCheck);
            if (sourceCheck != SourceCheck.Loose)
            {
                await links.SetLooseSourceCheckAsync(DeviceName, cancellationToken);
                _sourceCheck = SourceCheck.Loose;
            }

            watch.AddDevice(DeviceName, link.Index);
        }

        if (!_link.IsUp)
        {
            await links.SetUpAsync(DeviceName, cancellationToken);
            _link = _link with { IsUp = true };
        }
    }

    /// <summary>Plans what the device should be. Asks which ways lead to the peers, and writes nothing.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="plan">Where handshakes are to be started.</param>
    /// <param name="observed">The device as it is.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task<DesiredDevice> PlanAsync(MeshView view, PathPlan plan, Device observed, CancellationToken cancellationToken)
    {
        var starts = plan.Starts.Where(start => start.Slot == slot).Select(start => start.Peer).ToHashSet();
        var desired = DesiredState.BuildDevice(view, slot, DeviceName, (ushort)(options.ListenPort + slot.Index), observed, starts);
        var resets = plan.Resets.Where(reset => reset.Slot == slot).Select(reset => reset.Peer).ToHashSet();
        desired = await endpoints.ChooseAsync(desired, EndpointSources(view, observed, resets), cancellationToken);
        return KeepAlive(view, plan, desired, observed) with { Resets = resets };
    }

    /// <summary>Makes the device what it should be.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="desired">What it should be.</param>
    /// <param name="observed">The device as it is.</param>
    /// <param name="isResync">Whether to ask again what the ways to the peers carry.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    /// <returns>The device as it is now.</returns>
    public async Task<Device> ApplyAsync(
        MeshView view, DesiredDevice desired, Device observed, bool isResync, CancellationToken cancellationToken)
    {
        var patch = DevicePatchBuilder.Build(desired, observed);

        // The write may start a handshake, which takes a millisecond: it is over before the device has been read back.
        var heldSince = steady.Now;
        if (!patch.IsEmpty)
        {
            // Until it is read back nobody knows what we left.
            _expected = null;
            await devices.ConfigureAsync(DeviceName, patch, cancellationToken);
            observed = await ReadBackAsync(desired, cancellationToken);
            _formerEndpoints.Clear();
            LogPatched(logger, DeviceName, patch.KeyPair is not null ? "replaced" : patch.ClearKey ? "cleared" : "kept", patch.Peers.Count);
        }

        planner.Clock.Observe(slot, observed, heldSince, timeProvider.GetUtcNow());
        _expected = new ExpectedDevice(observed, AnnouncedEndpoints(view, desired));
        _link = await _mtu.ReconcileAsync(desired, _link!, isResync, cancellationToken);
        return observed;
    }

    /// <summary>Turns the device into what people see.</summary>
    public DeviceStatus ToStatus(MeshView view, Device device)
    {
        var status = DeviceStatusBuilder.Build(
            slot, device, devices.Transport, Mtu, view.Announcements, planner.Clock, steady.Now);
        return status with { TransportReason = devices.TransportReason };
    }

    private async Task NoteChangesAsync(ExpectedDevice expected, Device? device, CancellationToken cancellationToken)
    {
        var changes = DriftDetector.OfDevice(expected, device);
        if (device is not null && changes.Count > 0 && _link is { } link
            && await links.TryGetLinkAsync(link.Index, cancellationToken) is null)
        {
            // The process of a userspace device answers for a moment after its link was deleted, already without peers. Nobody removed
            // those.
            changes = DriftDetector.OfDevice(expected, null);
            (IsLinkLost, _link, _sourceCheck) = (true, null, null);
            _mtu.Forget();
        }

        drifts.Note(changes);
        NoteFormerEndpoints(expected, device);

        // What was noted once is known now, also if this pass fails before it could be repaired.
        _expected = device is null || IsLinkLost ? null : expected with { Device = device };
    }

    // What this process made is ours by its number; after a restart it has to be told by what is on it.
    private async Task<Link?> FindRenamedAsync(MeshView view, CancellationToken cancellationToken) =>
        await _renamed.FindAsync(_link, cancellationToken) is { } link
        && (_link is not null
            || (await devices.TryGetDeviceAsync(link.Name, cancellationToken) is { } device
                && await _adoption.JudgeAsync(view, device, cancellationToken) == DeviceOwner.Ours))
            ? link
            : null;

    private async Task RenameBackAsync(Link link, CancellationToken cancellationToken)
    {
        await _renamed.RestoreAsync(link, cancellationToken);

        // It is read again, as a link that was made by somebody else.
        (_link, IsRenamedBack) = (null, true);
    }

    private async Task<Link> RecoverLinkAsync(bool canMakeAnew, CancellationToken cancellationToken)
    {
        var operation = $"get link {DeviceName}";
        if (await _renamed.FindAsync(_link, cancellationToken) is { } renamed)
        {
            await RenameBackAsync(renamed, cancellationToken);
            IsLinkLost = true;
            return await links.TryGetLinkAsync(DeviceName, cancellationToken)
                ?? throw new LinuxException(operation, 0, "the link was renamed back and is gone again");
        }

        if (canMakeAnew)
        {
            // Two that disagree about one device: without its process there is neither. The next pass makes it, with the key of the ring.
            if (_expected is { } expected)
            {
                drifts.Note(DriftDetector.OfDevice(expected, null));
            }

            (_link, _expected) = (null, null);
            await devices.DeleteDeviceAsync(DeviceName, cancellationToken);
        }

        throw new LinuxException(operation, 0, $"the device answers but its link is gone{(canMakeAnew ? "; it is made anew" : "")}");
    }

    private async Task<Device> ReadBackAsync(DesiredDevice desired, CancellationToken cancellationToken)
    {
        var observed = await devices.TryGetDeviceAsync(DeviceName, cancellationToken)
            ?? throw new LinuxException($"get {DeviceName}", 0, "the device went away while it was being configured");
        var rest = DevicePatchBuilder.Build(desired.Settled(), observed);
        return rest.IsEmpty ? observed : throw new LinuxException(
            $"set {DeviceName}", 0,
            $"after the write the device still differs in {rest.Peers.Count} peers; does somebody else configure it?");
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Making {Device} by {Transport}")]
    private static partial void LogCreating(ILogger logger, string device, string transport);

    [LoggerMessage(Level = LogLevel.Information, Message = "Configured {Device}: key {Key}, {Peers} peer changes")]
    private static partial void LogPatched(ILogger logger, string device, string key, int peers);
}
