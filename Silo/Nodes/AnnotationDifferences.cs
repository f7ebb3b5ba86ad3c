using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Since when each node's annotation shows another key than the node announced.</summary>
/// <remarks>
/// From when it began to differ, whatever key followed: with a key every 20 s each one is too young to be missed, and the annotation wrong
/// for hours. By the steady clock, since a wall clock that is set would make it long or short. Thread-safe.
/// </remarks>
internal sealed class AnnotationDifferences(TimeProvider timeProvider)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, SteadyTime> _since = [];

    /// <summary>Whether an annotation misleads. One that is missing does not. Pure.</summary>
    /// <param name="node">What Kubernetes says of the node; null if it has no object.</param>
    /// <param name="announced">Its current announcement; null if none is held.</param>
    public static bool IsMisleading(NodeRecord? node, PeerAnnouncement? announced) =>
        node?.AnnotatedKey is { } annotated && announced is not null
            && SlotPhases.ActiveKey(announced) is { } active && annotated != active.PublicKey.ToString();

    /// <summary>Notes what a node's object and announcement are now.</summary>
    /// <returns>For how long its annotation has been misleading; zero if it is not.</returns>
    public TimeSpan Note(string nodeName, NodeRecord? node, PeerAnnouncement? announced)
    {
        var isMisleading = IsMisleading(node, announced);
        lock (_lock)
        {
            if (!isMisleading)
            {
                _since.Remove(nodeName);
                return TimeSpan.Zero;
            }

            var now = SteadyTime.Now(timeProvider);
            return _since.TryAdd(nodeName, now) ? TimeSpan.Zero : now - _since[nodeName];
        }
    }
}
