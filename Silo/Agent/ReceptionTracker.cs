using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Tells from counters when data of which peer last came in through which slot. Pure but for what it remembers.</summary>
/// <remarks>
/// A peer's own counter also counts handshakes and keepalives, which come in on a slot that nobody uses any more; the device's counter of
/// packets does not, but knows no peers. Data of a peer is where both moved.
/// </remarks>
internal sealed class ReceptionTracker
{
    // A keepalive has 32 bytes. The smallest packet has 20, which WireGuard pads to 32 and puts 32 around.
    private const long SmallestData = 64;

    private readonly Dictionary<Slot, long> _packets = [];
    private readonly Dictionary<(Slot Slot, PublicKey Peer), long> _bytes = [];
    private readonly SortedDictionary<(string NodeName, Slot Slot), SteadyTime> _lastAt = [];

    /// <summary>From which nodes data came in, through which slot, and when last.</summary>
    public EquatableArray<Reception> Receptions =>
        _lastAt.Select(entry => new Reception(entry.Key.NodeName, entry.Key.Slot, entry.Value)).ToEquatableArray();

    /// <summary>Forgets nodes that are gone.</summary>
    /// <param name="present">Those that are there.</param>
    public void ForgetExcept(IReadOnlySet<string> present)
    {
        foreach (var gone in _lastAt.Keys.Where(key => !present.Contains(key.NodeName)).ToList())
        {
            _lastAt.Remove(gone);
        }
    }

    /// <summary>Notes the counters of a slot's device.</summary>
    /// <param name="slot">Which the device serves.</param>
    /// <param name="device">As read.</param>
    /// <param name="receivedPackets">How many packets came in through its link.</param>
    /// <param name="nodeNames">Names of the nodes, by key.</param>
    /// <param name="now">When it was read.</param>
    public void Note(Slot slot, Device device, long receivedPackets, IReadOnlyDictionary<PublicKey, string> nodeNames, SteadyTime now)
    {
        // Nothing is known of the time before the first look, so what came until then may have come just now.
        var hasData = receivedPackets > _packets.GetValueOrDefault(slot);
        _packets[slot] = receivedPackets;
        foreach (var peer in device.Peers)
        {
            var key = (slot, peer.PublicKey);
            var grown = peer.ReceiveBytes - _bytes.GetValueOrDefault(key);
            _bytes[key] = peer.ReceiveBytes;
            if (hasData && grown >= SmallestData && nodeNames.TryGetValue(peer.PublicKey, out var name))
            {
                _lastAt[(name, slot)] = now;
            }
        }

        var peers = device.Peers.Select(peer => peer.PublicKey).ToHashSet();
        foreach (var gone in _bytes.Keys.Where(key => key.Slot == slot && !peers.Contains(key.Peer)).ToList())
        {
            _bytes.Remove(gone);
        }
    }
}
