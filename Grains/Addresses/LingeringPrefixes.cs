using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>What to announce of this node's prefixes: what is there, and for a while what no longer is.</summary>
/// <remarks>
/// An address that goes may come back a moment later, as when a pod is replaced or a link is made anew, and a packet that is on its way to
/// it must not find that nobody has it. So additions come before removals, each by <see cref="Linger"/>. What another node claims by now
/// does not linger: it is on its way there. Not thread-safe: one loop asks.
/// </remarks>
internal sealed class LingeringPrefixes
{
    /// <summary>How long a prefix that has gone is still announced.</summary>
    public static readonly TimeSpan Linger = TimeSpan.FromSeconds(5);

    private readonly Dictionary<IPPrefix, SteadyTime> _goneSince = [];
    private EquatableArray<IPPrefix> _former = [];

    /// <summary>Notes what is there.</summary>
    /// <param name="current">Sorted.</param>
    /// <param name="isClaimed">Whether another node claims a prefix.</param>
    /// <param name="now">The moment.</param>
    /// <returns>
    /// What to announce, as few prefixes as it takes; and how long until that changes by itself, <see langword="null"/> if it does not.
    /// </returns>
    public (EquatableArray<IPPrefix> Prefixes, TimeSpan? Until) Note(
        EquatableArray<IPPrefix> current, Func<IPPrefix, bool> isClaimed, SteadyTime now)
    {
        if (current != _former)
        {
            var there = current.ToHashSet();
            foreach (var gone in _former.Where(prefix => !there.Contains(prefix)))
            {
                _goneSince.TryAdd(gone, now);
            }

            foreach (var back in _goneSince.Keys.Where(there.Contains).ToList())
            {
                _goneSince.Remove(back);
            }

            _former = current;
        }

        foreach (var (prefix, since) in _goneSince.ToList())
        {
            if (now - since >= Linger || isClaimed(prefix))
            {
                _goneSince.Remove(prefix);
            }
        }

        return _goneSince.Count == 0
            ? (PrefixSet.Aggregate(current), null)
            : (PrefixSet.Aggregate(current.Concat(_goneSince.Keys)), Linger - (now - _goneSince.Values.Min()));
    }
}
