using System.Globalization;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>
/// Whether this silo and the others accept each other's announcements: a roll-out shall stop at the first node that they do not.
/// </summary>
/// <remarks>
/// A silo that has never been accepted is not ready from its first second on. One that was has <see cref="Grace"/> for each change, because
/// a new announcement takes a moment to arrive, and silos come and go. One that is alone is accepted.
/// </remarks>
internal sealed class Acceptance(
    OwnAnnouncement own, AnnouncementStore store, MeshMembers members, MeshProtocol protocol, TimeProvider timeProvider)
{
    /// <summary>How long a silo that was accepted may lack it.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    /// <summary>The part of the other active silos that have to accept this one's announcement, and whose it has to accept.</summary>
    public const double Enough = 0.9;

    private const int MaxNamed = 3;

    private readonly Lock _lock = new();
    private bool _wasAccepted;
    private SteadyTime? _lacksSince;

    /// <summary>Why this silo is not ready; <see langword="null"/> if it is, or has not been without it for long.</summary>
    public NodeProblem? FindProblem()
    {
        lock (_lock)
        {
            if (FindLack() is not { } lack)
            {
                (_wasAccepted, _lacksSince) = (_wasAccepted || own.Latest is not null, null);
                return null;
            }

            var now = SteadyTime.Now(timeProvider);
            _lacksSince ??= now;
            return _wasAccepted && now - _lacksSince < Grace ? null : lack;
        }
    }

    private NodeProblem? FindLack()
    {
        var others = members.Others;
        var lacking = own.ToStatus(others).Receivers
            .Where(receiver => receiver.Outcome is not (AnnouncementOutcome.Held or AnnouncementOutcome.Applied))
            .Select(receiver => (receiver.NodeName, receiver.Outcome)).ToList();
        if (IsTooMany(lacking.Count, others.Count))
        {
            return Problem(NodeProblemCode.NotAccepted, lacking, others.Count);
        }

        var refusals = store.RefusedNodes;
        var refused = others.Where(other => refusals.ContainsKey(other.NodeName))
            .Select(other => (other.NodeName, (AnnouncementOutcome?)refusals[other.NodeName])).ToList();
        return IsTooMany(refused.Count, others.Count) ? Problem(NodeProblemCode.RefusesOthers, refused, others.Count) : null;
    }

    private static bool IsTooMany(int lacking, int others) => others - lacking < others * Enough;

    private NodeProblem Problem(NodeProblemCode code, List<(string NodeName, AnnouncementOutcome? Outcome)> nodes, int others) => new(
        code,
        [
            nodes.Count.ToString(CultureInfo.InvariantCulture), others.ToString(CultureInfo.InvariantCulture), OwnProtocol.Version,
            .. nodes.Take(MaxNamed).SelectMany(node =>
                new[] { node.NodeName, protocol.VersionOf(node.NodeName) ?? "", node.Outcome?.ToString() ?? "" }),
        ]);
}
