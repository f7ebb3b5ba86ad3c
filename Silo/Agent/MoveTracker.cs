using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Remembers when the traffic to each node last moved from one slot to the other. Time is an argument. Not thread-safe.</summary>
/// <remarks>
/// Only that tells something of a rotation. A route that is replaced tells nothing: it may be that of a node that has joined, or one that
/// somebody else had changed.
/// </remarks>
internal sealed class MoveTracker
{
    private readonly SortedDictionary<string, (Slot Slot, PathMove? Move)> _nodes = new(StringComparer.Ordinal);

    /// <summary>The latest move of each node whose traffic has moved, by node name.</summary>
    public EquatableArray<PathMove> Moves => _nodes.Values.Select(node => node.Move).OfType<PathMove>().ToEquatableArray();

    /// <summary>Notes through which slot each node is reached now.</summary>
    /// <param name="routed">Through which slot the routes led before; of use where this process has not seen a path yet.</param>
    /// <param name="paths">Through which slot they lead now. A node that is in neither is forgotten.</param>
    /// <param name="now">The time.</param>
    public void Note(IReadOnlyDictionary<string, Slot> routed, IReadOnlyDictionary<string, PathStatus> paths, SteadyTime now)
    {
        foreach (var gone in _nodes.Keys.Where(name => !paths.ContainsKey(name) && !routed.ContainsKey(name)).ToList())
        {
            _nodes.Remove(gone);
        }

        foreach (var (name, path) in paths)
        {
            // A pass that failed may have moved it already, so what it was at the end of the latest one that did not comes first.
            var (slot, move) = _nodes.TryGetValue(name, out var known) ? known : (routed.GetValueOrDefault(name, path.Slot), null);
            _nodes[name] = (path.Slot, slot == path.Slot ? move : new PathMove(name, slot, path.Slot, now));
        }
    }
}
