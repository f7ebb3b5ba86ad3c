using System.Net;
using System.Net.Sockets;
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
internal sealed partial class ReconcilePass(
    IWireGuardClient devices,
    ILinkClient links,
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

    private readonly KeyPairClock _clock = new();
    private readonly DeviceOptions _options = options.Value;
    private EquatableArray<Route>? _routes;
    private EquatableArray<IPPrefix>? _rules;
    private Link? _link;
    private HashSet<IPAddress> _measuredAddresses = [];

    /// <summary>Runs a pass.</summary>
    /// <param name="isResync">Whether to read links, routes and rules again, instead of trusting what this process wrote last.</param>
    /// <param name="cancellationToken">Ends the pass between two calls.</param>
    /// <exception cref="DeviceException">The system refused something. The next pass begins with reading.</exception>
    public async Task<PassResult> Run(bool isResync, CancellationToken cancellationToken)
    {
        var view = new MeshView(members.LocalNodeName, ring.Keys, store.Announcements, roster.Current, store.IsSynced);
        if (await FindOrMakeDevice(view, cancellationToken) is not { } observed)
        {
            return new PassResult([], FindProblem(view), null);
        }

        // A port that is taken shows only once the link is up, so the link comes first.
        await BringUp(isResync, cancellationToken);
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
        await ReconcileMtu(desired, isResync, cancellationToken);
        await ReconcileRoutes(view, desired, isResync, cancellationToken);

        var status = DeviceStatusBuilder.Build(
            Slot.Zero, observed, devices.Transport, _link?.Mtu ?? 0, view.Announcements, _clock, timeProvider.GetUtcNow());
        var isStarting = desired.Peers.Any(peer => peer.PersistentKeepaliveInterval == HandshakeStarter.StartInterval);
        return new PassResult([status], FindProblem(view), isStarting ? HandshakeCheckInterval : null);
    }

    private static string? FindProblem(MeshView view) =>
        view.Roster is null ? "waits for the first answer of the node source"
        : !view.IsSynced ? "waits for the first answer of another silo"
        : view.Keys.Count == 0 ? "has no key yet"
        : null;

    // A device without a key is of no use to anybody, and a silo that fails to start must not leave one behind.
    private async Task<Device?> FindOrMakeDevice(MeshView view, CancellationToken cancellationToken)
    {
        if (await devices.TryGetDevice(DeviceName, cancellationToken) is { } device)
        {
            return device;
        }

        if (view.Keys.Count == 0)
        {
            return null;
        }

        LogCreating(logger, DeviceName, devices.Transport);
        await devices.CreateDevice(DeviceName, cancellationToken);

        // Routes and link settings went away with the device that was here before.
        (_routes, _rules, _link, _measuredAddresses) = (null, null, null, []);
        return await devices.TryGetDevice(DeviceName, cancellationToken)
            ?? throw new DeviceException($"get {DeviceName}", 0, "the device was made and is gone again");
    }

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
        return DesiredState.BuildDevice(view, Slot.Zero, DeviceName, (ushort)_options.ListenPort, observed, starts.ToHashSet());
    }

    private async Task<Device> ReadBack(DesiredDevice desired, CancellationToken cancellationToken)
    {
        var observed = await devices.TryGetDevice(DeviceName, cancellationToken)
            ?? throw new DeviceException($"get {DeviceName}", 0, "the device went away while it was being configured");
        var rest = DevicePatchBuilder.Build(desired, observed);
        return rest.IsEmpty ? observed : throw new DeviceException(
            $"set {DeviceName}", 0, $"after the write the device still differs in {rest.Peers.Count} peers; does somebody else configure it?");
    }

    private async Task BringUp(bool isResync, CancellationToken cancellationToken)
    {
        if (isResync || _link is null)
        {
            _link = await links.TryGetLink(DeviceName, cancellationToken)
                ?? throw new DeviceException($"get link {DeviceName}", 0, "the device answers but its link is gone");
        }

        if (!_link.IsUp)
        {
            await links.SetUp(DeviceName, cancellationToken);
            _link = _link with { IsUp = true };
        }
    }

    private async Task ReconcileMtu(DesiredDevice desired, bool isResync, CancellationToken cancellationToken)
    {
        // The route to a peer decides the MTU, so new peers are a reason to look again.
        var addresses = desired.Peers.Where(peer => peer.Endpoints.Count > 0).Select(peer => peer.Endpoints[0].Address).ToHashSet();
        if (!isResync && _measuredAddresses.SetEquals(addresses))
        {
            return;
        }

        var mtu = await ChooseMtu(addresses, desired.Peers.Any(peer => peer.AllowedIPs.Any(prefix => prefix.IsIPv6)), cancellationToken);
        if (mtu is { } wanted && wanted != _link!.Mtu)
        {
            LogMtu(logger, DeviceName, _link.Mtu, wanted);
            await links.SetMtu(DeviceName, wanted, cancellationToken);
            _link = _link with { Mtu = wanted };
        }

        _measuredAddresses = addresses;
    }

    private async Task<int?> ChooseMtu(IEnumerable<IPAddress> addresses, bool carriesIPv6, CancellationToken cancellationToken)
    {
        if (_options.Mtu != 0)
        {
            return _options.Mtu;
        }

        var paths = new List<(int, bool)>();
        foreach (var address in addresses)
        {
            if (await links.GetPathMtu(address, cancellationToken) is { } pathMtu)
            {
                paths.Add((pathMtu, address.AddressFamily == AddressFamily.InterNetworkV6));
            }
        }

        var chosen = MtuCalculator.Calculate(paths, carriesIPv6);
        if (chosen is { IsClamped: true })
        {
            LogMtuClamped(logger, DeviceName, MtuCalculator.MinIPv6Mtu);
        }

        return chosen?.Mtu;
    }

    private async Task ReconcileRoutes(MeshView view, DesiredDevice device, bool isResync, CancellationToken cancellationToken)
    {
        if (isResync || _routes is null || _rules is null)
        {
            _routes = await links.GetRoutes(cancellationToken);
            _rules = await links.GetRules(cancellationToken);
        }

        var desired = DesiredState.BuildRoutes(device);
        var rules = DesiredState.BuildRules(view);
        var patch = RoutePatch.Build(desired, _routes.Value, rules, _rules.Value);

        // Until these writes have succeeded we do not know what is there; the next pass reads it.
        var (routesAfter, rulesAfter) = (desired, rules ?? _rules.Value);
        (_routes, _rules) = (null, null);
        foreach (var route in patch.Replace)
        {
            await links.ReplaceRoute(route, cancellationToken);
        }

        foreach (var route in patch.Delete)
        {
            await links.DeleteRoute(route, cancellationToken);
        }

        foreach (var rule in patch.AddRules)
        {
            await links.AddRule(rule, cancellationToken);
        }

        foreach (var rule in patch.DeleteRules)
        {
            await links.DeleteRule(rule, cancellationToken);
        }

        (_routes, _rules) = (routesAfter, rulesAfter);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Making {Device} by {Transport}")]
    private static partial void LogCreating(ILogger logger, string device, string transport);

    [LoggerMessage(Level = LogLevel.Information, Message = "Configured {Device}: key {Key}, {Peers} peer changes")]
    private static partial void LogPatched(ILogger logger, string device, string key, int peers);

    [LoggerMessage(Level = LogLevel.Information, Message = "MTU of {Device}: {OldMtu} -> {Mtu}")]
    private static partial void LogMtu(ILogger logger, string device, int oldMtu, int mtu);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The underlay is too narrow for IPv6 through {Device}: its MTU stays at {Mtu}, full packets are fragmented")]
    private static partial void LogMtuClamped(ILogger logger, string device, int mtu);
}

/// <summary>The outcome of a pass that succeeded.</summary>
/// <param name="Devices">As read back.</param>
/// <param name="Problem">Why the node is not ready although the devices are as they should be; <see langword="null"/> if it is.</param>
/// <param name="LookAgainAfter">When to look again before the next resync; <see langword="null"/> if there is no need.</param>
internal sealed record PassResult(EquatableArray<DeviceStatus> Devices, string? Problem, TimeSpan? LookAgainAfter);
