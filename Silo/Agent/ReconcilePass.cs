using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Keys;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>One pass: read the device and the routes, compare with what they should be, write the difference, read back.</summary>
/// <remarks>Holds no rules; those are in the pure parts beside it. Not thread-safe: the agent runs one pass at a time.</remarks>
internal sealed class ReconcilePass(
    IWireGuardClient devices,
    ILinkClient links,
    RouteReconciler routes,
    FirewallReconciler firewall,
    MtuReconciler mtu,
    EndpointChooser endpoints,
    KeyRing ring,
    AnnouncementStore store,
    DeliveryLedger ledger,
    MeshMembers members,
    INodeRosterSource roster,
    IOptions<DeviceOptions> options,
    TimeProvider timeProvider,
    ILogger<ReconcilePass> logger)
{
    /// <summary>The device of slot 0, by the name that operators of Cilium know.</summary>
    public const string DeviceName = "cilium_wg0";

    // A handshake on a healthy underlay takes milliseconds; this is how soon we notice and switch the keepalive off again.
    private static readonly TimeSpan HandshakeCheckInterval = TimeSpan.FromMilliseconds(500);

    private readonly DeviceReconciler _device = new(devices, links, endpoints, ledger, members, options.Value, timeProvider, logger);
    private Link? _link;

    // The device's link, if this pass found it down or replaced: then its routes are gone and nobody deleted them.
    private string? _lostLink;

    /// <summary>What others changed since this silo started.</summary>
    public EquatableArray<DriftCount> Drifts => _device.Drifts.Counts;

    /// <summary>Packets from other nodes' pods that came in clear and were dropped, as of the last resync.</summary>
    public long DroppedPackets => firewall.DroppedPackets;

    /// <summary>The key pair that a former silo left on the device. May run beside a pass: it only reads.</summary>
    /// <inheritdoc cref="DeviceReconciler.ReadKeyPair"/>
    public Task<KeyPair?> ReadKeyPair(CancellationToken cancellationToken) => _device.ReadKeyPair(TakeView(), cancellationToken);

    /// <summary>Runs a pass.</summary>
    /// <param name="isResync">Whether to read links, routes and rules again, instead of trusting what this process wrote last.</param>
    /// <param name="cancellationToken">Ends the pass between two calls.</param>
    /// <exception cref="DeviceException">The system refused something. The next pass begins with reading.</exception>
    public async Task<PassResult> Run(bool isResync, CancellationToken cancellationToken)
    {
        var view = TakeView();

        var device = await _device.Find(cancellationToken);
        if (device is null ? view.Keys.Count == 0 : !await _device.IsOurs(view, device, cancellationToken))
        {
            // A device without a key is of no use to anybody, and a silo that fails to start must not leave anything behind.
            return new PassResult(device is null ? [] : [Status(view, device)], FindProblem(view), null, IsApplied: false);
        }

        // Before the device is made or changed, so that in strict mode no packet leaves or enters in clear meanwhile (invariant I7).
        await routes.Protect(view, isResync, cancellationToken);
        await firewall.Reconcile(view, isResync, cancellationToken);
        if (device is null)
        {
            device = await _device.Make(cancellationToken);

            // Routes and link settings went away with the device that was here before.
            _link = null;
            routes.Forget();
            mtu.Forget();
        }

        // A port that is taken shows only once the link is up, so the link comes first.
        await BringUp(isResync, cancellationToken);
        var (desired, observed, isStarting) = await _device.Apply(view, device, isResync, cancellationToken);
        _link = await mtu.Reconcile(desired, _link!, isResync, cancellationToken);
        routes.NoteDrift(_device.Drifts, _lostLink);
        await routes.Connect(view, desired, cancellationToken);

        return new PassResult([Status(view, observed)], FindProblem(view), isStarting ? HandshakeCheckInterval : null, IsApplied: true);
    }

    private MeshView TakeView() => new(members.LocalNodeName, ring.Keys, store.Announcements, roster.Current, store.IsSynced);

    private static string? FindProblem(MeshView view) =>
        view.Roster is null ? "waits for the first answer of the node source"
        : !view.IsSynced ? "waits for the first answer of another silo"
        : view.Keys.Count == 0 ? "has no key yet"
        : null;

    private DeviceStatus Status(MeshView view, Device device)
    {
        var status = DeviceStatusBuilder.Build(
            Slot.Zero, device, devices.Transport, _link?.Mtu ?? 0, view.Announcements, _device.Clock, timeProvider.GetUtcNow());
        return status with { TransportReason = devices.TransportReason };
    }

    private async Task BringUp(bool isResync, CancellationToken cancellationToken)
    {
        _lostLink = null;
        if (isResync || _link is null)
        {
            var link = await links.TryGetLink(DeviceName, cancellationToken)
                ?? throw new DeviceException($"get link {DeviceName}", 0, "the device answers but its link is gone");
            if (_link is { } expected)
            {
                var changes = DriftDetector.OfLink(expected, link);
                _device.Drifts.Note(changes);
                _lostLink = changes.Any(change => change.Kind is DriftKind.LinkDown or DriftKind.LinkDeleted) ? DeviceName : null;
            }

            _link = link;
        }

        if (!_link.IsUp)
        {
            await links.SetUp(DeviceName, cancellationToken);
            _link = _link with { IsUp = true };
        }
    }
}

/// <summary>The outcome of a pass that succeeded.</summary>
/// <param name="Devices">As read back.</param>
/// <param name="Problem">Why the node is not ready although the devices are as they should be; <see langword="null"/> if it is.</param>
/// <param name="LookAgainAfter">When to look again before the next resync; <see langword="null"/> if there is no need.</param>
/// <param name="IsApplied">Whether the devices now are what they should be; false while there is no key, or nobody can tell whose they are.</param>
internal sealed record PassResult(EquatableArray<DeviceStatus> Devices, string? Problem, TimeSpan? LookAgainAfter, bool IsApplied);
