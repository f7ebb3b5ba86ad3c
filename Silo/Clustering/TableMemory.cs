using System.Globalization;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>What a look at the membership table says about it.</summary>
internal enum TableVerdict
{
    /// <summary>Nothing is wrong, as far as this silo can tell.</summary>
    Fine,

    /// <summary>It lacks what this silo has written. One such answer may be a read that was overtaken.</summary>
    Suspect,

    /// <summary>It has forgotten, by two successive answers.</summary>
    Forgotten,
}

/// <summary>What a silo has written into the membership table and must find there again. Pure; not thread-safe.</summary>
/// <remarks>
/// Orleans 10.4.2 has no way back from a table that has forgotten. A row that is written again belongs to a version that the others hold
/// for outdated and ignore, until the version has grown above the one they know: then whoever is not in it yet counts as dead, for ever.
/// Meanwhile a silo that starts founds a cluster of its own, which the others never meet.
/// </remarks>
/// <param name="patience">
/// How much later than the first bad answer the second one must be asked for, in the ticks of the timestamps.
/// </param>
internal sealed class TableMemory(long patience)
{
    private bool _hasRow;
    private int _highest;
    private long _writtenAt;
    private long? _suspectAt;

    /// <summary>What is missing, in words that go on "the membership table …".</summary>
    public string Problem { get; private set; } = "";

    /// <summary>The own row was written.</summary>
    /// <param name="status">What it says.</param>
    /// <param name="version">The table's version by that.</param>
    /// <param name="now">When the store had answered, as a timestamp.</param>
    public void OnWritten(SiloStatus status, int version, long now)
    {
        _hasRow = status is SiloStatus.Joining or SiloStatus.Active;
        _highest = Math.Max(_highest, version);
        _writtenAt = now;
    }

    /// <summary>The store has answered with a table.</summary>
    /// <param name="version">Which never falls while nothing is lost.</param>
    /// <param name="hasOwnRow">Whether it has a row of this silo.</param>
    /// <param name="began">When it was asked, as a timestamp.</param>
    /// <param name="now">When it had answered, as a timestamp.</param>
    public TableVerdict OnRead(int version, bool hasOwnRow, long began, long now)
    {
        var highest = _highest;
        _highest = Math.Max(_highest, version);
        return Judge(
            !hasOwnRow ? "has no row of this silo any more"
            : version < highest ? string.Create(CultureInfo.InvariantCulture, $"went back from version {highest} to {version}")
            : null,
            began,
            now);
    }

    /// <summary>The store has answered that there is no table.</summary>
    /// <param name="began">When it was asked, as a timestamp.</param>
    /// <param name="now">When it had answered.</param>
    public TableVerdict OnGone(long began, long now) => Judge("is gone", began, now);

    // Reads and writes overlap: what was asked before the row was written says nothing, and what is asked at once says the same again.
    private TableVerdict Judge(string? problem, long began, long now)
    {
        if (!_hasRow || problem is null)
        {
            _suspectAt = null;
            return TableVerdict.Fine;
        }

        if (began < _writtenAt || began < _suspectAt + patience)
        {
            return TableVerdict.Fine;
        }

        Problem = problem;
        if (_suspectAt is not null)
        {
            return TableVerdict.Forgotten;
        }

        _suspectAt = now;
        return TableVerdict.Suspect;
    }
}
