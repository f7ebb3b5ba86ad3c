using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Expected against observed: what somebody else changed since we last looked. Expected is what we wrote and read back, not what is desired
/// now, so that our own changes never count. Pure.
/// </summary>
internal static class DriftDetector
{
    /// <summary>What changed on a device.</summary>
    /// <param name="expected">As we left it.</param>
    /// <param name="observed">As it is; <see langword="null"/> if there is none.</param>
    public static IReadOnlyList<Drift> OfDevice(ExpectedDevice expected, Device? observed)
    {
        var before = expected.Device;
        if (observed is null)
        {
            return [new Drift(DriftKind.LinkDeleted, before.Name)];
        }

        var drifts = new List<Drift>();
        AddIf(before.PublicKey != observed.PublicKey, DriftKind.KeyChanged, before.Name);
        AddIf(before.ListenPort != observed.ListenPort, DriftKind.PortChanged, before.Name);
        AddIf(before.FirewallMark != observed.FirewallMark, DriftKind.FirewallMarkChanged, before.Name);
        var peers = observed.Peers.ToDictionary(peer => peer.PublicKey);
        foreach (var peer in before.Peers)
        {
            var subject = peer.PublicKey.ToShortString();
            if (!peers.Remove(peer.PublicKey, out var now))
            {
                AddIf(true, DriftKind.PeerRemoved, subject);
                continue;
            }

            AddIf(IsEndpointForeign(expected, peer, now), DriftKind.EndpointChanged, subject);
            AddIf(
                peer.AllowedIPs != now.AllowedIPs && !peer.AllowedIPs.ToHashSet().SetEquals(now.AllowedIPs),
                DriftKind.AllowedIPsChanged, subject);
            AddIf(peer.PersistentKeepaliveInterval != now.PersistentKeepaliveInterval, DriftKind.KeepaliveChanged, subject);
        }

        drifts.AddRange(peers.Keys.Order().Select(key => new Drift(DriftKind.PeerAdded, key.ToShortString())));
        return drifts;

        void AddIf(bool condition, DriftKind kind, string subject)
        {
            if (condition)
            {
                drifts.Add(new Drift(kind, subject));
            }
        }
    }

    /// <summary>What changed on a link.</summary>
    /// <param name="expected">As we left it.</param>
    /// <param name="observed">As it is.</param>
    public static IReadOnlyList<Drift> OfLink(Link expected, Link observed)
    {
        // One that was deleted and made again begins with settings of its own; that is one change, not three.
        if (expected.Index != observed.Index)
        {
            return [new Drift(DriftKind.LinkDeleted, expected.Name)];
        }

        var drifts = new List<Drift>();
        if (expected.IsUp && !observed.IsUp)
        {
            drifts.Add(new Drift(DriftKind.LinkDown, expected.Name));
        }

        if (expected.Mtu != observed.Mtu)
        {
            drifts.Add(new Drift(DriftKind.MtuChanged, expected.Name));
        }

        return drifts;
    }

    /// <summary>What changed of how a link takes packets in.</summary>
    /// <param name="name">Name of the link.</param>
    /// <param name="expected">As we left it.</param>
    /// <param name="observed">As it is.</param>
    public static IReadOnlyList<Drift> OfSourceCheck(string name, SourceCheck expected, SourceCheck observed) =>
    [
        .. expected.IsLoose && !observed.IsLoose ? (Drift[])[new Drift(DriftKind.SourceCheckChanged, name)] : [],
        .. expected.HasAddress && !observed.HasAddress ? (Drift[])[new Drift(DriftKind.AddressDeleted, name)] : [],
    ];

    /// <summary>What changed in our table.</summary>
    /// <param name="expected">As we left it.</param>
    /// <param name="observed">As it is.</param>
    /// <param name="lostLinks">
    /// Links that were down or deleted meanwhile: the kernel removed their routes, which is no change of its own.
    /// </param>
    public static IReadOnlyList<Drift> OfRoutes(
        EquatableArray<Route> expected, EquatableArray<Route> observed, IReadOnlySet<string> lostLinks)
    {
        (expected, observed) = (RouteOrder.Sort(expected), RouteOrder.Sort(observed));
        var deleted = Sorted.Except(expected, observed, RouteOrder.Instance)
            .Where(route => route.IsUnreachable || !lostLinks.Contains(route.DeviceName));
        return
        [
            .. deleted.Select(route => new Drift(DriftKind.RouteDeleted, route.Destination.ToString())),
            .. Sorted.Except(observed, expected, RouteOrder.Instance)
                .Select(route => new Drift(DriftKind.RouteAdded, route.Destination.ToString())),
        ];
    }

    /// <summary>What changed among our rules.</summary>
    /// <param name="expected">As we left them.</param>
    /// <param name="observed">As they are.</param>
    public static IReadOnlyList<Drift> OfRules(EquatableArray<IPPrefix> expected, EquatableArray<IPPrefix> observed) =>
    [
        .. expected.Except(observed).Select(source => new Drift(DriftKind.RuleDeleted, source.ToString())),
        .. observed.Except(expected).Select(source => new Drift(DriftKind.RuleAdded, source.ToString())),
    ];

    /// <summary>
    /// Whether somebody else set a peer's endpoint. WireGuard moves one with an authentic packet only, which it counts; a peer that is
    /// behind NAT, or sends from another of its addresses, has changed nothing here.
    /// </summary>
    /// <param name="expected">The device as we left it.</param>
    /// <param name="before">The peer as we left it.</param>
    /// <param name="now">The peer as it is.</param>
    public static bool IsEndpointForeign(ExpectedDevice expected, DevicePeer before, DevicePeer now) =>
        !Equals(before.Endpoint, now.Endpoint)
        && before.ReceiveBytes == now.ReceiveBytes && before.LastHandshakeTime == now.LastHandshakeTime
        && expected.Endpoints.TryGetValue(now.PublicKey, out var announced) && announced.Count > 0
        && (now.Endpoint is null || !announced.Contains(now.Endpoint));
}
