namespace Orleans.WireGuard.Grains.Clocks;

/// <summary>The time by which this node rotates, and judges what others say: its own clock, unless that is far from the mesh's.</summary>
/// <remarks>
/// A clock that is a quarter of a period off rotates at the wrong moment, and one that is a whole period off replaces the slot that others
/// use. Nothing breaks by that, since no key is replaced that a peer depends on, but rotations would wait for each other. So such a node
/// follows the median of the mesh, in which it counts itself, but no clock that cannot be right. What another clock said is kept beside the
/// clock that nobody sets, so that it stays true when this one is set. Safe to use from several threads.
/// </remarks>
/// <param name="timeProvider">This node's own clock.</param>
/// <param name="period">Length of an epoch.</param>
internal sealed class MeshClock(TimeProvider timeProvider, TimeSpan period)
{
    // The program runs on .NET 10, which was published on that day, so a clock before it is wrong: one that was never set begins in 1970.
    // It is not the day of the build, which a reproducible build does not know. After half a century nobody runs the program any more, and
    // a clock that was set at random is mostly beyond that. An announcement is no such bound: a clock that is ahead has made some of them,
    // and would then decide for all.
    private static readonly DateTimeOffset Earliest = new(2025, 11, 11, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Latest = Earliest.AddYears(50);

    // A reading that nobody has taken again for so long says nothing about now.
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(30);

    // A clock that says less or more than this is broken, and nobody may be led by it to a time for which there is no epoch.
    private static readonly DateTimeOffset MinReading = DateTimeOffset.UnixEpoch;
    private static readonly DateTimeOffset MaxReading = new(9000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // A clock that is not set drifts by less between two looks.
    private static readonly TimeSpan SetBy = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Reading> _readings = new(StringComparer.Ordinal);
    private TimeSpan? _correction;
    private TimeSpan _offset;
    private SteadyTime _validUntil;

    /// <summary>What is known, by node name.</summary>
    public EquatableArray<ClockSkew> Skews
    {
        get
        {
            lock (_lock)
            {
                var (clock, now) = (timeProvider.GetUtcNow(), SteadyTime.Now(timeProvider));
                return Recent(now).Select(reading =>
                    new ClockSkew(reading.Key, reading.Value.At(now) - clock, clock - (now - reading.Value.TakenAt))).ToEquatableArray();
            }
        }
    }

    /// <summary>What has to be added to this node's clock; zero while it is to be trusted.</summary>
    public TimeSpan Correction
    {
        get
        {
            lock (_lock)
            {
                var (clock, now) = (timeProvider.GetUtcNow(), SteadyTime.Now(timeProvider));
                var offset = clock - DateTimeOffset.UnixEpoch - (now - default(SteadyTime));
                if (_correction is not { } correction || now > _validUntil || (offset - _offset).Duration() > SetBy)
                {
                    var recent = Recent(now).Select(reading => reading.Value).ToList();
                    correction = Find(clock, [.. recent.Select(reading => reading.At(now))], period);
                    (_correction, _offset) = (correction, offset);
                    _validUntil = recent.Select(reading => reading.TakenAt).DefaultIfEmpty(now).Min() + MaxAge;
                }

                return correction;
            }
        }
    }

    /// <summary>The time by the mesh; never before 1970, because there are no epochs.</summary>
    public DateTimeOffset MeshTime =>
        timeProvider.GetUtcNow() + Correction is var now && now > DateTimeOffset.UnixEpoch ? now : DateTimeOffset.UnixEpoch;

    /// <summary>The latest moment that may be in what another silo says (<see cref="SequenceBounds.MaxLead"/>).</summary>
    public DateTimeOffset Horizon => MeshTime + SequenceBounds.MaxLead(period);

    /// <summary>
    /// The nodes whose clocks have been read lately enough, and whether each can be right; another reading is not due before half of the
    /// time for which one counts.
    /// </summary>
    public IReadOnlyDictionary<string, bool> FindFresh()
    {
        lock (_lock)
        {
            var now = SteadyTime.Now(timeProvider);
            return _readings.Where(reading => now - reading.Value.TakenAt <= MaxAge / 2)
                .ToDictionary(reading => reading.Key, reading => CanBeRight(reading.Value.At(now)), StringComparer.Ordinal);
        }
    }

    /// <summary>
    /// That this node's clock cannot be right and no other one has told it the time; <see langword="null"/> if it is not so.
    /// </summary>
    public NodeProblem? FindProblem()
    {
        lock (_lock)
        {
            var now = SteadyTime.Now(timeProvider);
            return ClockRemarks.FindProblem(timeProvider.GetUtcNow(), [.. Recent(now).Select(reading => reading.Value.At(now))]);
        }
    }

    /// <summary>Whose announcement lies too far ahead to be taken, in a sentence; <see langword="null"/> if by now nobody's does.</summary>
    /// <param name="late">The one that was refused for it last.</param>
    public string? FindNote(RefusedAhead? late)
    {
        lock (_lock)
        {
            var now = SteadyTime.Now(timeProvider);
            return late is not null && now - late.RefusedAt <= RefusedAhead.MaxAge && !SequenceBounds.IsPossible(late.Sequence, Horizon)
                ? ClockRemarks.DescribeRefused(late, timeProvider.GetUtcNow(), Recent(now).Any())
                : null;
        }
    }

    /// <summary>Notes what another node's clock said while this one waited for it.</summary>
    /// <param name="nodeName">The other node.</param>
    /// <param name="answered">Its clock when it answered.</param>
    /// <param name="asked">When it was asked.</param>
    /// <returns>Whether it is one that a clock can have; else nothing is noted.</returns>
    public bool Note(string nodeName, DateTimeOffset answered, SteadyTime asked)
    {
        if (answered < MinReading || answered > MaxReading)
        {
            return false;
        }

        var received = SteadyTime.Now(timeProvider);
        lock (_lock)
        {
            _readings[nodeName] = new Reading(answered + ((received - asked) / 2), received);
            _correction = null;
        }

        return true;
    }

    /// <summary>Forgets the clocks of nodes that are gone, and what was read too long ago.</summary>
    /// <param name="isPresent">Whether a node is there.</param>
    public void Forget(Func<string, bool> isPresent)
    {
        lock (_lock)
        {
            var now = SteadyTime.Now(timeProvider);
            foreach (var (name, _) in _readings.Where(reading => !isPresent(reading.Key) || !IsRecent(reading.Value, now)).ToList())
            {
                _readings.Remove(name);
                _correction = null;
            }
        }
    }

    /// <summary>Whether clocks are so far apart that people should know: more than an eighth of a period. Pure.</summary>
    public static bool IsWorthAWarning(TimeSpan ahead, TimeSpan period) => ahead.Duration() > RotationTiming.WorryingSkewOf(period);

    /// <summary>Whether a clock can say this and be right. Pure.</summary>
    public static bool CanBeRight(DateTimeOffset clock) => clock >= Earliest && clock <= Latest;

    /// <summary>The correction that follows from all clocks. Pure.</summary>
    /// <param name="own">This node's.</param>
    /// <param name="others">Those of the others, at the same moment.</param>
    /// <param name="period">Length of an epoch.</param>
    public static TimeSpan Find(DateTimeOffset own, IReadOnlyCollection<DateTimeOffset> others, TimeSpan period)
    {
        // Nodes that all began in 1970 have to agree as well, so if no clock can be right, each counts.
        var all = others.Append(own).Order().ToList();
        var right = all.Where(CanBeRight).ToList();
        var (isCounted, counted) = right.Count > 0 ? (CanBeRight(own), right) : (true, all);

        // The lower of two in the middle and the upper one, whichever is nearer to our own clock: of two nodes neither is the mesh. One
        // that does not count decides nothing here either; what is announced by the lower one is ahead of nobody.
        var (low, high) = (counted[(counted.Count - 1) / 2] - own, counted[counted.Count / 2] - own);
        var median = !isCounted || low.Duration() < high.Duration() ? low : high;
        return median.Duration() > RotationTiming.FollowedSkewOf(period) ? median : TimeSpan.Zero;
    }

    private IEnumerable<KeyValuePair<string, Reading>> Recent(SteadyTime now) => _readings.Where(reading => IsRecent(reading.Value, now));

    private static bool IsRecent(Reading reading, SteadyTime now) => now - reading.TakenAt <= MaxAge;

    /// <summary>What a clock said, and when.</summary>
    private readonly record struct Reading(DateTimeOffset Clock, SteadyTime TakenAt)
    {
        /// <summary>What it says now.</summary>
        public DateTimeOffset At(SteadyTime now) => Clock + (now - TakenAt);
    }
}
