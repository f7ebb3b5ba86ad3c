using System.Net;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Keys;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The device half of a pass: find or make the device, tell whose it is, notice what others changed, write the difference, read back.</summary>
/// <remarks>Holds no rules; those are in the pure parts beside it.</remarks>
internal sealed partial class DeviceReconciler(
    IWireGuardClient devices,
    ILinkClient links,
    DeliveryLedger ledger,
    MeshMembers members,
    DeviceOptions options,
    TimeProvider timeProvider,
    ILogger logger)
{
    private const string DeviceName = ReconcilePass.DeviceName;

    private readonly KeyPairClock _clock = new();
    private ExpectedDevice? _expected;
    private volatile bool _isOurs;

    /// <summary>What others changed since this silo started.</summary>
    public DriftLog Drifts { get; } = new(timeProvider, logger);

    /// <summary>Since when the device has had its peers.</summary>
    public KeyPairClock Clock => _clock;

    /// <summary>Reads the device and counts what others changed on it.</summary>
    /// <returns>The device; <see langword="null"/> if there is none.</returns>
    public async Task<Device?> Find(CancellationToken cancellationToken)
    {
        var device = await devices.TryGetDevice(DeviceName, cancellationToken);
        if (_expected is { } expected)
        {
            Drifts.Note(DriftDetector.OfDevice(expected, device));
        }

        // Whatever this pass writes, until it is read back nobody knows what we left.
        _expected = null;
        return device;
    }

    /// <summary>Makes the device, which is ours from then on.</summary>
    /// <exception cref="DeviceException">The name is taken, or the system refused.</exception>
    public async Task<Device> Make(CancellationToken cancellationToken)
    {
        LogCreating(logger, DeviceName, devices.Transport);
        await devices.CreateDevice(DeviceName, cancellationToken);
        _isOurs = true;
        return await devices.TryGetDevice(DeviceName, cancellationToken)
            ?? throw new DeviceException($"get {DeviceName}", 0, "the device was made and is gone again");
    }

    /// <summary>Whether the device may be written. Asked of the system once: from then on it is ours, and what others do is drift.</summary>
    /// <returns><see langword="false"/> while that cannot be told yet.</returns>
    /// <exception cref="DeviceException">It is somebody else's.</exception>
    public async Task<bool> IsOurs(MeshView view, Device device, CancellationToken cancellationToken)
    {
        if (!_isOurs)
        {
            _isOurs = await Judge(view, device, cancellationToken) switch
            {
                DeviceOwner.Ours => true,
                DeviceOwner.Unknown => false,
                _ => options.TakeOver ? true : throw new DeviceException(
                    $"adopt {DeviceName}", 0, DeviceOwnership.Describe(device, view.Roster, view.Announcements)),
            };
        }

        return _isOurs;
    }

    /// <summary>The key pair that a former silo left on the device; the caller disposes it.</summary>
    /// <returns><see langword="null"/> if there is none, or somebody else made it and knows its private half.</returns>
    /// <exception cref="DeviceException">The device is somebody else's, or it is too early to tell, or it cannot be read.</exception>
    public async Task<KeyPair?> ReadKeyPair(MeshView view, CancellationToken cancellationToken)
    {
        if (await devices.TryGetDevice(DeviceName, cancellationToken) is not { PublicKey: not null } device)
        {
            return null;
        }

        return await Judge(view, device, cancellationToken) switch
        {
            DeviceOwner.Ours => await devices.GetKeyPair(DeviceName, cancellationToken),
            DeviceOwner.Unknown => throw new DeviceException(
                $"adopt {DeviceName}", 0, "the node source has not answered yet, so nobody knows whose peers these are"),
            _ => options.TakeOver ? null : throw new DeviceException(
                $"adopt {DeviceName}", 0, DeviceOwnership.Describe(device, view.Roster, view.Announcements)),
        };
    }

    /// <summary>Makes the device what it should be.</summary>
    /// <returns>What it should be, and what it is now.</returns>
    public async Task<(DesiredDevice Desired, Device Observed)> Apply(MeshView view, Device observed, CancellationToken cancellationToken)
    {
        var desired = Desire(view, observed);
        var patch = DevicePatchBuilder.Build(desired, observed);

        // The write may start a handshake, which takes a millisecond: it is over before the device has been read back.
        var heldSince = timeProvider.GetUtcNow();
        if (!patch.IsEmpty)
        {
            await devices.Configure(DeviceName, patch, cancellationToken);
            observed = await ReadBack(desired, cancellationToken);
            LogPatched(logger, DeviceName, patch.KeyPair is null ? "kept" : "replaced", patch.Peers.Count);
        }

        _clock.Observe(Slot.Zero, observed, heldSince);
        _expected = new ExpectedDevice(observed, AnnouncedEndpoints(view, desired));
        return (desired, observed);
    }

    private async Task<DeviceOwner> Judge(MeshView view, Device device, CancellationToken cancellationToken) => DeviceOwnership.Judge(
        device, view.NodeName, view.Roster, view.Announcements, await links.GetRoutes(cancellationToken));

    private DesiredDevice Desire(MeshView view, Device observed)
    {
        var localKey = view.Keys.FirstOrDefault(key => key.Slot == Slot.Zero)?.KeyPair.PublicKey;

        // An acknowledgement counts for the key that was announced, not for one that was made a moment ago.
        var own = ledger.Announcement is { } announcement && announcement.Find(Slot.Zero)?.PublicKey == localKey ? announcement : null;
        var applied = ledger.AppliedNodes(members.Others.Select(other => other.Silo));
        var observedPeers = observed.Peers.ToDictionary(peer => peer.PublicKey);
        var isSameKey = localKey == observed.PublicKey;
        var starts = from other in view.Others
                     let announced = other.Find(Slot.Zero)
                     where announced is not null
                     let isProven = isSameKey && observedPeers.TryGetValue(announced.PublicKey, out var peer) && _clock.IsProven(Slot.Zero, peer)
                     where HandshakeStarter.ShouldStart(Slot.Zero, own, other, applied.Contains(other.NodeName), isProven)
                     select announced.PublicKey;
        return DesiredState.BuildDevice(view, Slot.Zero, DeviceName, (ushort)options.ListenPort, observed, starts.ToHashSet());
    }

    // A peer that no announcement explains is kept as it is, wherever it roams.
    private static Dictionary<PublicKey, EquatableArray<IPEndPoint>> AnnouncedEndpoints(MeshView view, DesiredDevice desired)
    {
        var announced = view.Others.Select(other => other.Find(Slot.Zero)?.PublicKey).ToHashSet();
        return desired.Peers.Where(peer => announced.Contains(peer.PublicKey)).ToDictionary(peer => peer.PublicKey, peer => peer.Endpoints);
    }

    private async Task<Device> ReadBack(DesiredDevice desired, CancellationToken cancellationToken)
    {
        var observed = await devices.TryGetDevice(DeviceName, cancellationToken)
            ?? throw new DeviceException($"get {DeviceName}", 0, "the device went away while it was being configured");
        var rest = DevicePatchBuilder.Build(desired, observed);
        return rest.IsEmpty ? observed : throw new DeviceException(
            $"set {DeviceName}", 0, $"after the write the device still differs in {rest.Peers.Count} peers; does somebody else configure it?");
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Making {Device} by {Transport}")]
    private static partial void LogCreating(ILogger logger, string device, string transport);

    [LoggerMessage(Level = LogLevel.Information, Message = "Configured {Device}: key {Key}, {Peers} peer changes")]
    private static partial void LogPatched(ILogger logger, string device, string key, int peers);
}
