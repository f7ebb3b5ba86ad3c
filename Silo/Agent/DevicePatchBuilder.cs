using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Desired minus observed: the smallest change that makes a device what it should be. Pure.</summary>
/// <remarks>
/// Laws, held by property tests: applying the patch to the observed device gives the desired one, and a second patch is empty. Its order
/// keeps a prefix that moves between peers from being without one for a moment: first whatever is added (adding takes it from its
/// former peer), then peers that begin afresh, then what nobody wants is taken away, then whole peers. An unchanged key is never sent
/// again: to WireGuard a private key that is set is a new one, and ends sessions (invariant I5). With a new key every peer that had shaken
/// hands with the old one begins afresh: its sessions are over anyway, and the handshake that a device shows then always belongs to its
/// present key.
/// </remarks>
internal static class DevicePatchBuilder
{
    /// <summary>What a device has to be told to become as desired; nothing if it is.</summary>
    public static DevicePatch Build(DesiredDevice desired, Device observed)
    {
        var peers = new Phases();
        var observedPeers = observed.Peers.ToDictionary(peer => peer.PublicKey);
        var isNewKey = desired.KeyPair is not null && desired.KeyPair.PublicKey != observed.PublicKey;
        var desiredPrefixes = new Lazy<HashSet<IPPrefix>>(() => desired.Peers.SelectMany(peer => peer.AllowedIPs).ToHashSet());
        foreach (var peer in desired.Peers)
        {
            if (!observedPeers.Remove(peer.PublicKey, out var current))
            {
                peers.Additions.Add(Add(peer));
            }
            else if (desired.Resets.Contains(peer.PublicKey) || (isNewKey && current.LastHandshakeTime is not null))
            {
                peers.Resets.Add(Add(peer) with { Change = PeerChange.Reset });
            }
            else
            {
                Update(peer, current, desiredPrefixes, peers);
            }
        }

        peers.Removals.AddRange(observedPeers.Keys.Select(key => new PeerPatch(key, PeerChange.Remove)));
        return new DevicePatch(
            isNewKey ? desired.KeyPair : null,
            desired.ListenPort != observed.ListenPort ? desired.ListenPort : null,
            peers.InOrder())
        {
            ClearKey = desired.IsKeyless && observed.PublicKey is not null,
            // We set none: with one, packets to peers could follow rules of somebody else.
            FirewallMark = observed.FirewallMark == 0 ? null : 0,
        };
    }

    private static PeerPatch Add(DesiredPeer peer) => new(
        peer.PublicKey,
        PeerChange.Add,
        peer.Endpoint,
        peer.PersistentKeepaliveInterval == TimeSpan.Zero ? null : peer.PersistentKeepaliveInterval,
        peer.AllowedIPs);

    private static void Update(DesiredPeer desired, DevicePeer current, Lazy<HashSet<IPPrefix>> desiredPrefixes, Phases peers)
    {
        // Of most peers nothing changes, whatever changes of one.
        var hasOthers = desired.AllowedIPs != current.AllowedIPs;
        var missing = hasOthers ? desired.AllowedIPs.Except(current.AllowedIPs).ToEquatableArray() : [];
        var unchanged = new PeerPatch(desired.PublicKey, PeerChange.Update);
        var addition = unchanged with
        {
            Endpoint = Equals(desired.Endpoint, current.Endpoint) ? null : desired.Endpoint,
            PersistentKeepaliveInterval =
                desired.PersistentKeepaliveInterval == current.PersistentKeepaliveInterval ? null : desired.PersistentKeepaliveInterval,
            AllowedIPs = missing.Count == 0 ? null : missing,
        };
        if (addition != unchanged)
        {
            peers.Additions.Add(addition);
        }

        // A prefix that another desired peer has is gone from here once that peer was given it.
        if (hasOthers && current.AllowedIPs.Any(prefix => !desiredPrefixes.Value.Contains(prefix)))
        {
            peers.Reductions.Add(unchanged with { AllowedIPs = desired.AllowedIPs, ReplaceAllowedIPs = true });
        }
    }

    private sealed class Phases
    {
        public List<PeerPatch> Additions { get; } = [];

        public List<PeerPatch> Resets { get; } = [];

        public List<PeerPatch> Reductions { get; } = [];

        public List<PeerPatch> Removals { get; } = [];

        public EquatableArray<PeerPatch> InOrder() =>
            Sorted(Additions).Concat(Sorted(Resets)).Concat(Sorted(Reductions)).Concat(Sorted(Removals)).ToEquatableArray();

        private static IEnumerable<PeerPatch> Sorted(List<PeerPatch> changes) =>
            changes.OrderBy(change => change.PublicKey);
    }
}
