namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>A slot through which a peer could be reached: both sides have a key there.</summary>
/// <param name="Slot">The same on both sides.</param>
/// <param name="Level">See <see cref="SlotLevel"/>.</param>
/// <param name="IsProven">Whether our own device completed a handshake between just these two keys.</param>
/// <param name="IsFresh">
/// Whether that was so recently that the session still works without another handshake. Two nodes that move at once onto a session that has
/// expired both start one, and handshakes that cross cost 5 s.
/// </param>
internal sealed record PathCandidate(Slot Slot, Epoch Level, bool IsProven, bool IsFresh);

/// <summary>Chooses the slot that carries the traffic to a peer, each peer and direction on its own. Pure.</summary>
internal static class PathChooser
{
    /// <summary>The slot to send through.</summary>
    /// <param name="candidates">The slots there are.</param>
    /// <param name="current">The slot in use; <see langword="null"/> if none.</param>
    /// <returns>
    /// The proven slot of the highest level. Without a proven one the present slot, or the one of the highest level: invariant I2, never a
    /// slot without a proven handshake unless there is no other. <see langword="null"/> without candidates.
    /// </returns>
    public static Slot? Choose(IReadOnlyList<PathCandidate> candidates, Slot? current)
    {
        var proven = candidates.Where(candidate => candidate.IsProven && (candidate.IsFresh || candidate.Slot == current)).ToList();
        if (proven.Count == 0)
        {
            proven = [.. candidates.Where(candidate => candidate.IsProven)];
        }

        var best = proven.Count > 0
            ? proven.OrderByDescending(candidate => candidate.Level).ThenBy(candidate => candidate.Slot != current).First()
            : candidates.FirstOrDefault(candidate => candidate.Slot == current)
                ?? candidates.OrderByDescending(candidate => candidate.Level).FirstOrDefault();
        return best?.Slot;
    }

    /// <summary>Whether the pair should shake hands on a slot, because it would use that slot then.</summary>
    /// <param name="candidate">The slot.</param>
    /// <param name="candidates">The slots there are, that one among them.</param>
    /// <param name="current">The slot in use; <see langword="null"/> if none.</param>
    public static bool IsWanted(PathCandidate candidate, IReadOnlyList<PathCandidate> candidates, Slot? current) =>
        !(candidate.IsProven && (candidate.IsFresh || candidate.Slot == current))
        && !candidates.Any(other => other.Slot != candidate.Slot && other.IsProven && other.Level >= candidate.Level);
}
