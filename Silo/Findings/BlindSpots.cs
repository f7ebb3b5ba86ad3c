using Orleans.WireGuard.Silo.Routing;
using Orleans.WireGuard.Silo.Routing.Witness;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>A link by which packets leave that netfilter does not see.</summary>
/// <param name="Link">Its name.</param>
/// <param name="IsDevice">Whether it is a device of ours, whose packets are encrypted behind it; else others are reached by it.</param>
/// <param name="SentBytes">What it sent.</param>
/// <param name="SeenBytes">What netfilter saw of it in the same time.</param>
internal sealed record BlindSpot(string Link, bool IsDevice, long SentBytes, long SeenBytes);

/// <summary>Tells from what links count, and from what netfilter sees leave by them, where packets leave past netfilter. Pure.</summary>
/// <remarks>
/// The two count in different units: a link counts what it cut large packets into, a WireGuard device of the kernel what it made of them, and some
/// count padding or a checksum. So only a difference is taken that none of these explains, twice in a row, because some cards tell their counts late.
/// What was told holds until as many packets as are enough tell something else: without traffic nothing is known anew.
/// </remarks>
internal sealed class BlindSpots
{
    /// <summary>So many packets tell something.</summary>
    public const int EnoughPackets = 100;

    // More than the headers, padding and checksums of a packet that are not in both counts, and than a handshake or a keepalive, which only the device counts.
    private const int Overhead = 160;

    // Of what was sent. More than headers of segments, padding and checksums come to where nothing else is counted.
    private const int Share = 4;

    private readonly Dictionary<int, State> _states = [];

    /// <summary>Where there are any, by name.</summary>
    public EquatableArray<BlindSpot> Current =>
        _states.Values.Select(state => state.Found).OfType<BlindSpot>().OrderBy(spot => spot.Link, StringComparer.Ordinal).ToEquatableArray();

    /// <summary>The counters of netfilter begin anew.</summary>
    public void Restart()
    {
        foreach (var state in _states.Values)
        {
            state.Begin = null;
        }
    }

    /// <summary>Forgets links that are gone.</summary>
    /// <param name="links">Numbers of those that are not.</param>
    public void ForgetExcept(IReadOnlySet<int> links)
    {
        foreach (var index in _states.Keys.Where(index => !links.Contains(index)).ToList())
        {
            _states.Remove(index);
        }
    }

    /// <summary>Notes what was read of a link: first its own counters, so that no packet between the two readings is missing in those of netfilter.</summary>
    /// <param name="link">Its name.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="sent">What it counted.</param>
    /// <param name="seen">What netfilter saw.</param>
    public void Note(string link, BlindSpotKind kind, LinkTraffic sent, LinkCount seen)
    {
        if (!_states.TryGetValue(seen.Index, out var state))
        {
            _states[seen.Index] = state = new State();
        }

        if (state.Begin is not { } begin || sent.SentPackets < begin.Sent.SentPackets || seen.Packets < begin.Seen.Packets)
        {
            state.Begin = (sent, seen);
            return;
        }

        if (sent.SentPackets - begin.Sent.SentPackets < EnoughPackets)
        {
            return;
        }

        state.Begin = (sent, seen);
        var (bytes, seenBytes) = (sent.SentBytes - begin.Sent.SentBytes, (long)(seen.Bytes - begin.Seen.Bytes));
        var isUnseen = IsUnseen(kind, sent.SentPackets - begin.Sent.SentPackets, bytes, seenBytes);
        state.Found = isUnseen && (state.WasUnseen || state.Found is not null) ? new BlindSpot(link, kind == BlindSpotKind.Device, bytes, seenBytes) : null;
        state.WasUnseen = isUnseen;
    }

    private static bool IsUnseen(BlindSpotKind kind, long packets, long bytes, long seenBytes) =>
        bytes - seenBytes - (kind == BlindSpotKind.Link ? 0 : packets * Overhead) > bytes / Share;

    private sealed class State
    {
        public (LinkTraffic Sent, LinkCount Seen)? Begin { get; set; }

        public bool WasUnseen { get; set; }

        public BlindSpot? Found { get; set; }
    }
}

/// <summary>What a link counts.</summary>
internal enum BlindSpotKind
{
    /// <summary>Packets that are sent by it.</summary>
    Link,

    /// <summary>
    /// Others too: a bond counts what its members send for themselves, and every link the parts of small packets that <c>wireguard-go</c> joined. So small
    /// packets are not missed there.
    /// </summary>
    RoughLink,

    /// <summary>A device of ours: handshakes and keepalives too.</summary>
    Device,
}
