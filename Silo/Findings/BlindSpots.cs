using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Witness;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>A link by which packets leave that netfilter does not see.</summary>
/// <param name="Link">What the kernel calls it.</param>
/// <param name="IsDevice">Whether it is a device of ours, whose packets are encrypted behind it; else others are reached by it.</param>
/// <param name="SentBytes">What it sent by its own counters.</param>
/// <param name="SeenBytes">What netfilter saw of it in the same time.</param>
internal sealed record BlindSpot(string Link, bool IsDevice, long SentBytes, long SeenBytes);

/// <summary>Tells from what links count, and from what netfilter sees leave by them, where packets leave past netfilter. Pure.</summary>
/// <remarks>
/// The two count in different units: a link counts what it cut large packets into, a WireGuard device of the kernel what it made of them,
/// and some count padding or a checksum. So only a difference in bytes is taken that none of these explains, and twice in a row: some cards
/// tell their counts a second late. What was told holds for a while without traffic, which alone could tell something else.
/// </remarks>
internal sealed class BlindSpots
{
    /// <summary>So many packets tell something.</summary>
    public const int EnoughPackets = 100;

    /// <summary>So long is counted at least: a multiple of how late a card tells its counts.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(8);

    /// <summary>So long holds what was told, if nothing more is sent.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    // More than the headers of a segment come to, which are in one count only, and than a handshake or a keepalive.
    private const int Overhead = 160;

    // A frame is padded to 64 bytes with its checksum, from 42 for ARP, and may have a tag of four.
    private const int Padding = 26;

    // Of what was sent.
    private const int LargeShare = 10;
    private const int SmallShare = 4;

    private readonly Dictionary<int, State> _states = [];

    /// <summary>Where there are any, by name.</summary>
    public EquatableArray<BlindSpot> Current =>
        _states.Values.Select(state => state.Found).OfType<BlindSpot>()
            .OrderBy(spot => spot.Link, StringComparer.Ordinal).ToEquatableArray();

    /// <summary>Those of the links by which others are reached.</summary>
    public bool IsWitnessBlind => Current.Any(spot => !spot.IsDevice);

    /// <summary>The counters of netfilter may begin anew.</summary>
    public void Restart()
    {
        foreach (var state in _states.Values)
        {
            state.Begin = null;
        }
    }

    /// <summary>Forgets links that are gone, and what was told too long ago.</summary>
    /// <param name="links">Numbers of those that are not.</param>
    /// <param name="now">The moment.</param>
    public void ForgetExcept(IReadOnlySet<int> links, SteadyTime now)
    {
        foreach (var (index, state) in _states.ToList())
        {
            if (!links.Contains(index) || now - state.JudgedAt > Lifetime)
            {
                _states.Remove(index);
            }
        }
    }

    /// <summary>
    /// Notes what was read of a link: first its own counters, so that no packet between the two readings is missing in those of netfilter.
    /// </summary>
    /// <param name="link">Its name.</param>
    /// <param name="counting">How exact its counters are.</param>
    /// <param name="sent">What it counted.</param>
    /// <param name="seen">What netfilter saw.</param>
    /// <param name="now">The moment.</param>
    public void Note(string link, LinkCounting counting, LinkTraffic sent, LinkCount seen, SteadyTime now)
    {
        if (!_states.TryGetValue(seen.Index, out var state))
        {
            _states[seen.Index] = state = new State { JudgedAt = now };
        }

        if (state.Begin is not { } begin || sent.SentPackets < begin.Sent.SentPackets
            || seen.Packets < begin.Seen.Packets || seen.Bytes < begin.Seen.Bytes)
        {
            state.Begin = (sent, seen, now);
            return;
        }

        var packets = sent.SentPackets - begin.Sent.SentPackets;
        if (packets < EnoughPackets || now - begin.At < Window)
        {
            return;
        }

        state.Begin = (sent, seen, now);
        state.JudgedAt = now;
        var (bytes, seenBytes) = (sent.SentBytes - begin.Sent.SentBytes, (long)(seen.Bytes - begin.Seen.Bytes));
        var isUnseen = IsUnseen(counting, packets, bytes, (long)(seen.Packets - begin.Seen.Packets), seenBytes);
        if (isUnseen == state.WasUnseen)
        {
            state.Found = isUnseen ? new BlindSpot(link, counting == LinkCounting.Device, bytes, seenBytes) : null;
        }

        state.WasUnseen = isUnseen;
    }

    private static bool IsUnseen(LinkCounting counting, long packets, long bytes, long seenPackets, long seenBytes)
    {
        var missing = bytes - seenBytes;

        // A device adds to each packet; a link to those into which it cut one.
        var added = counting == LinkCounting.Device
            ? packets * Overhead
            : (Math.Max(0, packets - seenPackets) * Overhead) + (packets * Padding);
        return missing - added > bytes / LargeShare
            || (counting == LinkCounting.Exact && missing - (packets * Padding) > bytes / SmallShare);
    }

    private sealed class State
    {
        public (LinkTraffic Sent, LinkCount Seen, SteadyTime At)? Begin { get; set; }

        public SteadyTime JudgedAt { get; set; }

        public bool WasUnseen { get; set; }

        public BlindSpot? Found { get; set; }
    }
}

/// <summary>How exact the counters of a link are.</summary>
internal enum LinkCounting
{
    /// <summary>
    /// Packets that are sent by it; those of TCP into which it cut a larger one have few bytes of headers, compared with the others.
    /// </summary>
    Exact,

    /// <summary>
    /// Others too: a bond counts what its members send for themselves, and any link the parts of small packets that a tunnel in user space
    /// joined. So small packets alone are not missed there.
    /// </summary>
    Rough,

    /// <summary>A device of ours: handshakes and keepalives too.</summary>
    Device,
}
