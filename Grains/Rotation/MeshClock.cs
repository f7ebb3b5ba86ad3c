namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>The time by which this node rotates: its own clock, unless that is far from the mesh's.</summary>
/// <remarks>
/// A clock that is a quarter of a period off rotates at the wrong moment, and one that is a whole period off replaces the slot that others use.
/// Nothing breaks by that, since no key is replaced that a peer depends on, but rotations would wait for each other. So such a node follows the
/// median of the mesh, in which it counts itself. Safe to use from several threads.
/// </remarks>
internal sealed class MeshClock(TimeProvider timeProvider)
{
    /// <summary>The part of a period beyond which the median is followed.</summary>
    public const double FollowFraction = 1.0 / 4;

    private const double WarnFraction = 1.0 / 8;

    // A skew that nobody has measured again for so long says nothing about now.
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(30);

    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, (ClockSkew Skew, SteadyTime At)> _skews = new(StringComparer.Ordinal);

    /// <summary>What is known, by node name.</summary>
    public EquatableArray<ClockSkew> Skews
    {
        get
        {
            lock (_lock)
            {
                return _skews.Values.Select(known => known.Skew).ToEquatableArray();
            }
        }
    }

    /// <summary>Notes what another node's clock said while this one waited for it.</summary>
    /// <param name="nodeName">The other node.</param>
    /// <param name="sent">This node's clock when it asked.</param>
    /// <param name="answered">Its clock when it answered.</param>
    /// <param name="roundTrip">How long the answer took.</param>
    public void Note(string nodeName, DateTimeOffset sent, DateTimeOffset answered, TimeSpan roundTrip)
    {
        var ahead = answered - (sent + (roundTrip / 2));
        lock (_lock)
        {
            _skews[nodeName] = (new ClockSkew(nodeName, ahead, sent + roundTrip), SteadyTime.Now(timeProvider));
        }
    }

    /// <summary>Whether clocks are so far apart that people should know: more than an eighth of a period. Pure.</summary>
    public static bool IsWorthAWarning(TimeSpan ahead, TimeSpan period) => ahead.Duration() > period * WarnFraction;

    /// <summary>What has to be added to this node's clock; zero while it is to be trusted.</summary>
    /// <param name="period">Length of an epoch.</param>
    public TimeSpan Correction(TimeSpan period)
    {
        var now = SteadyTime.Now(timeProvider);
        lock (_lock)
        {
            var recent = _skews.Values.Where(known => now - known.At <= MaxAge).Select(known => known.Skew.Ahead);
            return Correction([.. recent], period);
        }
    }

    /// <summary>The correction that follows from the skews of all others. Pure.</summary>
    public static TimeSpan Correction(IReadOnlyCollection<TimeSpan> others, TimeSpan period)
    {
        // The lower of two in the middle and the upper one, whichever is nearer to our own clock: of two nodes neither is the mesh.
        var all = others.Append(TimeSpan.Zero).Order().ToList();
        var (low, high) = (all[(all.Count - 1) / 2], all[all.Count / 2]);
        var median = low.Duration() < high.Duration() ? low : high;
        return median.Duration() > period * FollowFraction ? median : TimeSpan.Zero;
    }
}
