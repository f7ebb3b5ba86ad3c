using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>What is believed of the way to an address, and what was asked last. Pure.</summary>
/// <remarks>
/// A router that cannot pass a packet on says what it can, and the kernel shows that as the route's MTU for ten minutes, without renewing
/// it. So what is read may grow although the way has not, and a packet or its answer may be lost. More is believed only when several
/// packets of that size have been sent and nobody has objected to any:
/// <code>
/// read          another way, or the first look   believed, and asked for
/// not more      than is believed                 believed, and asked for unless it was the last that was
/// more          than is believed                 asked for until nobody has objected <see cref="Silences"/> times, then believed
/// </code>
/// So an answer that is forgotten costs a packet and changes no MTU, and of several narrow links on a way each is found in turn.
/// </remarks>
/// <param name="Way">The way when it was looked at last, as it was read.</param>
/// <param name="Mtu">Bytes that it is believed to carry.</param>
/// <param name="Asked">Bytes of the last packet that was to be sent.</param>
/// <param name="AskedAt">When that was.</param>
internal sealed record PathProbing(LinkPath Way, int Mtu, int Asked, SteadyTime AskedAt)
{
    /// <summary>How many packets in a row have to find nobody who objects before more is believed.</summary>
    public const int Silences = 3;

    /// <summary>How long nobody is asked again: the network may change where this node hears nothing of it.</summary>
    public static TimeSpan Interval { get; } = TimeSpan.FromMinutes(5);

    /// <summary>How long an answer may take. A look comes at any time, also a millisecond after the packet was sent.</summary>
    public static TimeSpan Answer { get; } = TimeSpan.FromSeconds(5);

    /// <summary>Bytes of the packet to send after a look; <see langword="null"/> if none is to be sent.</summary>
    public int? Wanted { get; private init; }

    /// <summary>How many packets like the last one nobody has objected to.</summary>
    private int Silent { get; init; }

    /// <summary>What is believed after a look.</summary>
    /// <param name="former">What was believed before; <see langword="null"/> if this is the first look.</param>
    /// <param name="read">The way as it was read.</param>
    /// <param name="now">When it was.</param>
    public static PathProbing After(PathProbing? former, LinkPath read, SteadyTime now)
    {
        if (former is null || former.Way.LinkIndex != read.LinkIndex || former.Way.LinkMtu != read.LinkMtu)
        {
            return Ask(read, read.Mtu, now);
        }

        var (isAsked, since) = (former.Asked == read.Mtu, now - former.AskedAt);
        if (read.Mtu <= former.Mtu)
        {
            return !isAsked || since >= Interval
                ? Ask(read, read.Mtu, now)
                : former with { Way = read, Mtu = read.Mtu, Silent = 0, Wanted = null };
        }

        if (isAsked && since < Answer)
        {
            return former with { Way = read, Wanted = null };
        }

        var silent = isAsked ? former.Silent + 1 : 0;
        return silent < Silences
            ? Ask(read, former.Mtu, now) with { Silent = silent }
            : former with { Way = read, Mtu = read.Mtu, Silent = 0, Wanted = null };
    }

    /// <summary>The same after a packet that could not be sent: the next look asks again.</summary>
    public PathProbing Unsent() => this with { Asked = 0, Wanted = null };

    private static PathProbing Ask(LinkPath read, int believed, SteadyTime now) =>
        new(read, believed, read.Mtu, now) { Wanted = read.Mtu };
}
