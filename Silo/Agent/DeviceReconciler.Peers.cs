using System.Net;
using Orleans.WireGuard.Linux.Devices;

// What the peers of a device have to do with nodes: their keepalive and endpoints.

namespace Orleans.WireGuard.Silo.Agent;

internal sealed partial class DeviceReconciler
{
    private DesiredDevice KeepAlive(MeshView view, PathPlan plan, DesiredDevice desired, Device observed)
    {
        var now = steady.Now;
        var observedPeers = observed.Peers.ToDictionary(peer => peer.PublicKey);
        var names = view.NodeNamesOf(slot);
        var active = members.OtherNames;
        var isSameKey = desired.KeyPair is null || desired.KeyPair.PublicKey == observed.PublicKey;
        return PersistentKeepalive.Apply(desired, observed, Wanted, IsSettled);

        // On a slot that carries nothing a keepalive would only start handshakes too early, or keep alive what is to become quiet.
        TimeSpan? Wanted(PublicKey key) => !names.TryGetValue(key, out var name) ? null
            : plan.Paths.TryGetValue(name, out var path) && path.Slot != slot ? TimeSpan.Zero
            : PersistentKeepalive.Configured(options, name, active.Contains(name));

        bool IsSettled(PublicKey key) => isSameKey && observedPeers.TryGetValue(key, out var peer)
            && (planner.Clock.IsProven(slot, peer) || now - planner.Clock.Since(slot, key) >= PersistentKeepalive.Patience);
    }

    private EndpointSources EndpointSources(MeshView view, Device observed, HashSet<PublicKey> resets)
    {
        // A session that is over begins afresh too, and that is no retry: nobody has been asked yet.
        var retried = observed.Peers.Where(peer => resets.Contains(peer.PublicKey) && !planner.Clock.IsProven(slot, peer))
            .Select(peer => peer.PublicKey);
        return new EndpointSources(slot, observed, view.NodeNamesOf(slot), retried.ToHashSet(), _formerEndpoints, steady.Now);
    }

    // Kept until they are set again: the pass that noticed may fail before.
    private void NoteFormerEndpoints(ExpectedDevice expected, Device? device)
    {
        var before = expected.Device.Peers.ToDictionary(peer => peer.PublicKey);
        foreach (var peer in device?.Peers ?? [])
        {
            if (before.TryGetValue(peer.PublicKey, out var was) && was.Endpoint is { } former
                && DriftDetector.IsEndpointForeign(expected, was, peer))
            {
                _ = _formerEndpoints.TryAdd(peer.PublicKey, former);
            }
        }
    }

    // A peer that no announcement explains is kept as it is, wherever it roams.
    private Dictionary<PublicKey, EquatableArray<IPEndPoint>> AnnouncedEndpoints(MeshView view, DesiredDevice desired)
    {
        var announced = view.NodeNamesOf(slot);
        return desired.Peers.Where(peer => announced.ContainsKey(peer.PublicKey))
            .ToDictionary(peer => peer.PublicKey, peer => peer.Endpoints);
    }
}
