using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>
/// Changes its mind about the source only when another one has been right for a while: where pods come and go, or Cilium makes its objects
/// anew, what is true for a second is not worth telling every node. The first choice, and the first after none, is at once. Not
/// thread-safe.
/// </summary>
internal sealed class SettledChoice
{
    /// <summary>How long another source, or none, has to be right.</summary>
    public static readonly TimeSpan Settle = TimeSpan.FromSeconds(5);

    private PrefixSource? _wanted;
    private SteadyTime _wantedSince;

    /// <summary>The source in force; <see langword="null"/> if there is none.</summary>
    public PrefixSource? Source { get; private set; }

    /// <summary>Takes a decision.</summary>
    /// <param name="wanted">The source that is right now; <see langword="null"/> if none is.</param>
    /// <param name="now">The moment.</param>
    /// <returns>How long it has to wait until it comes into force; <see langword="null"/> if it is in force.</returns>
    public TimeSpan? Take(PrefixSource? wanted, SteadyTime now)
    {
        if (wanted == Source || Source is null)
        {
            (Source, _wanted, _wantedSince) = (wanted, wanted, now);
            return null;
        }

        if (wanted != _wanted)
        {
            (_wanted, _wantedSince) = (wanted, now);
        }

        var left = Settle - (now - _wantedSince);
        if (left > TimeSpan.Zero)
        {
            return left;
        }

        Source = wanted;
        return null;
    }
}
