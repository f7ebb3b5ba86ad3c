using System.Diagnostics;

namespace Orleans.WireGuard.Grains.Clocks;

/// <summary>How long the parts of a rotation take and wait for each other: one table, because each bounds another.</summary>
/// <remarks>
/// <code>
/// epoch begins                                                       next epoch begins
/// ├─ spread ≤ P/4 ─▶ due ─ patience P/4 ─▶ replaced or kept ─ grace ≤ P/8 ─▶ old slot destroyed ─┤
/// </code>
/// A clock that is not followed yet is off by at most a quarter of a period, and the last node of an epoch has still decided before the
/// next one begins.
/// </remarks>
internal sealed record RotationTiming
{
    /// <summary>How long Orleans waits for an answer, as the silo sets it. What a caller waits for has to be over before.</summary>
    public static readonly TimeSpan ResponseTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The longest time for which an operator may have a node keep its keys.</summary>
    public static readonly TimeSpan MaxFreeze = TimeSpan.FromDays(1);

    /// <summary>The wait after a failed rotation or announcement.</summary>
    public static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>The wait for the first answer of another silo, before anything is announced.</summary>
    public static readonly TimeSpan SyncInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>For how long a caller of Advance waits for peers that are still moving off the slot.</summary>
    public static readonly TimeSpan AdvancePatience = TimeSpan.FromSeconds(3);

    /// <summary>How long a call that asks for a key may take.</summary>
    public static readonly TimeSpan CallPatience = TimeSpan.FromSeconds(7);

    /// <summary>How long one may take that comes when the devices have just failed.</summary>
    /// <remarks>
    /// It may have waited for the turn in which they did, another call's or the timer's, which ends about as soon with the default
    /// ApplyTimeout. Both waits together are less than <see cref="ResponseTimeout"/>, or the caller would get an exception that says
    /// nothing.
    /// </remarks>
    public static readonly TimeSpan CallPatienceAfterFailure = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan MinInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Makes the table, and checks it.</summary>
    /// <param name="period">Length of an epoch: 1 second to 1 day.</param>
    /// <param name="gracePeriod">How long a slot shall have been quiet; an eighth of the period if that is shorter.</param>
    /// <exception cref="UnreachableException">One time contradicts another; a mistake in this table.</exception>
    public RotationTiming(TimeSpan period, TimeSpan gracePeriod)
    {
        (Period, Patience) = (period, period / 4);
        Grace = gracePeriod < period / 8 ? gracePeriod : period / 8;
        WaitInterval = Clamp(period / 40, MinInterval, TimeSpan.FromSeconds(3));
        LookInterval = Clamp(Grace / 4, MinInterval, TimeSpan.FromSeconds(2));

        var (spread, followed) = (SpreadOf(period), FollowedSkewOf(period));
        Require(spread + Patience + Grace < Period, "what is due last is decided, and its old slot quiet, before the next epoch begins");
        Require(followed + spread + Patience < Period, "so it is with a clock that is as far off as one may be without being corrected");
        Require(WorryingSkewOf(period) < followed, "people hear of a clock before the node stops to go by it");
        Require(WaitInterval < Patience, "who waits for peers looks again before the patience is over");
        Require(AdvancePatience < CallPatience, "a caller hears of peers that lag behind, not of a time-out");
        Require(CallPatience + CallPatienceAfterFailure < ResponseTimeout, "a caller gets our answer, not Orleans' time-out");
    }

    /// <summary>Length of an epoch.</summary>
    public TimeSpan Period { get; }

    /// <summary>For how long a due rotation waits for peers that depend on the old key, before it keeps it for another turn.</summary>
    public TimeSpan Patience { get; }

    /// <summary>How long a slot must have been quiet before its key is destroyed or replaced.</summary>
    public TimeSpan Grace { get; }

    /// <summary>How often a node looks again that waits for peers.</summary>
    public TimeSpan WaitInterval { get; }

    /// <summary>How often a node looks whether the slot that had its turn is quiet.</summary>
    public TimeSpan LookInterval { get; }

    /// <summary>Over how much of an epoch the nodes are spread, so that N handshakes do not reach one node at the same moment.</summary>
    public static TimeSpan SpreadOf(TimeSpan period) => period / 4;

    /// <summary>How far from the median a node's clock may be before the node goes by the median.</summary>
    public static TimeSpan FollowedSkewOf(TimeSpan period) => period / 4;

    /// <summary>How far apart two clocks may be before people should know.</summary>
    public static TimeSpan WorryingSkewOf(TimeSpan period) => period / 8;

    private static TimeSpan Clamp(TimeSpan value, TimeSpan min, TimeSpan max) => value < min ? min : value > max ? max : value;

    private static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new UnreachableException($"The times of a rotation contradict each other. It has to hold that {what}.");
        }
    }
}
