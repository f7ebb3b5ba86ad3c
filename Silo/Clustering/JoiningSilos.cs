namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>Which of the other silos are starting, so that nobody counts their silence. Not thread-safe.</summary>
/// <remarks>
/// Orleans probes a silo as soon as its row says that it joins, and votes after three probes of a second. A runtime that starts on a node
/// with little time to spare answers later than that; it would be dead before it has begun, end, be started again, and so on. Nobody
/// depends on a silo that joins: it gets no grains, and is asked by no other one that joins. It becomes active by reaching all active ones
/// itself, and from then on it is probed as everybody is.
/// </remarks>
/// <param name="patience">
/// How long a silo may take to join, in the ticks of the timestamps. One that takes longer is probed, so that its row goes.
/// </param>
internal sealed class JoiningSilos(long patience)
{
    private Dictionary<SiloAddress, long> _since = [];

    /// <summary>Shows silos that join as <see cref="SiloStatus.Created"/>, which Orleans does not probe.</summary>
    /// <param name="rows">All rows of the table; those of silos that join are changed.</param>
    /// <param name="own">This silo, whose row is its own affair.</param>
    /// <param name="now">Now, as a timestamp.</param>
    public void Spare(IEnumerable<MembershipEntry> rows, SiloAddress? own, long now)
    {
        var since = new Dictionary<SiloAddress, long>();
        foreach (var row in rows.Where(row => row.Status == SiloStatus.Joining && !row.SiloAddress.Equals(own)))
        {
            var seen = since[row.SiloAddress] = _since.GetValueOrDefault(row.SiloAddress, now);
            if (now - seen < patience)
            {
                row.Status = SiloStatus.Created;
            }
        }

        _since = since;
    }

    /// <summary>
    /// Makes of a row that is to be written what the silo itself wrote: what is shown to Orleans must not reach the store.
    /// </summary>
    /// <param name="row">Of any silo; changed only if it joins and is shown as created.</param>
    public void Restore(MembershipEntry row)
    {
        if (row.Status == SiloStatus.Created && _since.ContainsKey(row.SiloAddress))
        {
            row.Status = SiloStatus.Joining;
        }
    }
}
