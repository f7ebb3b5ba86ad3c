namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>Which of the other silos are starting, so that nobody counts their silence. Pure; not thread-safe.</summary>
/// <remarks>
/// Orleans probes a silo as soon as its row says that it joins, and votes after three probes of a second or so. A runtime that starts on a node with little
/// time to spare answers later than that; it would be dead before it has begun, end, be started again, and so on. Nobody depends on a silo that joins: it gets
/// no grains, and is asked by no other one that joins. It becomes active by reaching all active ones itself, and from then on it is probed as everybody is.
/// </remarks>
/// <param name="patience">How long a silo may take to join, in the ticks of the timestamps. One that takes longer is probed, so that its row goes.</param>
internal sealed class JoiningSilos(long patience)
{
    private Dictionary<SiloAddress, long> _since = [];

    /// <summary>Shows the rows of silos that join as those of silos which have not begun to, which Orleans leaves alone.</summary>
    /// <param name="rows">All rows of the table; those that are spared are changed.</param>
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
}
