using System.Collections.Immutable;
using System.Globalization;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>
/// Whether this silo and the others accept each other's announcements, so that a roll-out stops at the first node where they do not.
/// </summary>
/// <remarks>
/// Who is new has to be accepted by <see cref="Enough"/> of the other active silos before it is ready. Who has been is not ready any more
/// only if the greater part of them, two at least, has lacked its announcement for <see cref="Grace"/>, and the same for what it refuses: of
/// one bad silo in a small mesh the others must not become unready, because a DaemonSet replaces unready pods of the former revision all at
/// once, with the one that is bad. A silo that is alone is ready. Safe to use from several threads.
/// </remarks>
internal sealed class Acceptance(
    OwnAnnouncement own, MeshMembers members, MeshProtocol protocol, TimeProvider timeProvider)
{
    /// <summary>How long another silo may lack the announcement of one that was accepted.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    /// <summary>The part of the other active silos that have to accept a new one's announcement, and whose it has to accept.</summary>
    public const double Enough = 0.9;

    private const int MaxNamed = 3;
    private const int FewestAgainst = 2;

    private readonly Lock _lock = new();
    private ImmutableDictionary<SiloAddress, SteadyTime> _lackSince = ImmutableDictionary<SiloAddress, SteadyTime>.Empty;
    private ImmutableDictionary<SiloAddress, AnnouncementSequence> _held = ImmutableDictionary<SiloAddress, AnnouncementSequence>.Empty;
    private ImmutableDictionary<SiloAddress, Refusal> _refusals = ImmutableDictionary<SiloAddress, Refusal>.Empty;
    private bool _wasAccepted;

    /// <summary>Notes what became of the announcement that a silo gave of its own node, when the two compared what they hold.</summary>
    /// <param name="silo">The silo. What others pass on of its node tells nothing of it: they may have forged it.</param>
    /// <param name="refusal">Why it was refused; <see langword="null"/> if it is held.</param>
    public void NoteOffer(SiloAddress silo, AnnouncementOutcome? refusal)
    {
        lock (_lock)
        {
            if (refusal is not { } outcome)
            {
                _refusals = _refusals.Remove(silo);
            }
            else if (!_refusals.ContainsKey(silo))
            {
                _refusals = _refusals.Add(silo, new Refusal(outcome, SteadyTime.Now(timeProvider)));
            }
        }
    }

    /// <summary>Notes that a silo holds this node's announcement, although its receipt may not have come in time.</summary>
    public void NoteHeld(SiloAddress silo, AnnouncementSequence sequence)
    {
        lock (_lock)
        {
            _held = _held.SetItem(silo, sequence);
        }
    }

    /// <summary>Looks who lacks the announcement. Called again and again, so that it is known for how long.</summary>
    public void Follow()
    {
        var others = members.Others;
        var now = SteadyTime.Now(timeProvider);
        lock (_lock)
        {
            var lacking = FindLacking(others).Select(other => other.Silo).ToList();
            _wasAccepted |= own.Latest is not null && others.Count > 0 && !IsTooMany(lacking.Count, others.Count)
                && !IsTooMany(FindRefused(others).Count, others.Count);
            _lackSince = lacking.ToImmutableDictionary(silo => silo, silo => _lackSince.GetValueOrDefault(silo, now));
            var active = others.Select(other => other.Silo).ToHashSet();
            _refusals = _refusals.RemoveRange(_refusals.Keys.Where(silo => !active.Contains(silo)));
            _held = _held.RemoveRange(_held.Keys.Where(silo => !active.Contains(silo)));
        }
    }

    /// <summary>Why this silo is not ready; <see langword="null"/> if it is.</summary>
    public NodeProblem? FindProblem()
    {
        var others = members.Others;
        var now = SteadyTime.Now(timeProvider);
        lock (_lock)
        {
            var (lacking, refused) = (FindLacking(others), FindRefused(others));
            if (_wasAccepted)
            {
                lacking = [.. lacking.Where(other => _lackSince.TryGetValue(other.Silo, out var since) && now - since >= Grace)];
                refused = [.. refused.Where(other => now - _refusals[other.Silo].Since >= Grace)];
            }

            return AreTooMany(lacking.Count) ? Problem(
                    NodeProblemCode.NotAccepted, others.Count, lacking, other => own.FindReceiver(other.Silo)?.Outcome)
                : AreTooMany(refused.Count) ? Problem(
                    NodeProblemCode.RefusesOthers, others.Count, refused, other => _refusals[other.Silo].Outcome)
                : null;
        }

        bool AreTooMany(int against) => _wasAccepted
            ? against >= FewestAgainst && against * 2 > others.Count
            : IsTooMany(against, others.Count);
    }

    private static bool IsTooMany(int against, int others) => others - against < others * Enough;

    private List<(SiloAddress Silo, string NodeName)> FindLacking(IReadOnlyList<(SiloAddress Silo, string NodeName)> others) =>
        own.IsEverywhere(others) ? []
            : [.. others.Where(other =>
                own.FindReceiver(other.Silo)?.Outcome is not (AnnouncementOutcome.Held or AnnouncementOutcome.Applied)
                && !(_held.TryGetValue(other.Silo, out var held) && held == own.Latest?.Sequence))];

    private List<(SiloAddress Silo, string NodeName)> FindRefused(IReadOnlyList<(SiloAddress Silo, string NodeName)> others) =>
        _refusals.IsEmpty ? [] : [.. others.Where(other => _refusals.ContainsKey(other.Silo))];

    private NodeProblem Problem(
        NodeProblemCode code,
        int others,
        List<(SiloAddress Silo, string NodeName)> against,
        Func<(SiloAddress Silo, string NodeName), AnnouncementOutcome?> why) => new(
        code,
        [
            against.Count.ToString(CultureInfo.InvariantCulture), others.ToString(CultureInfo.InvariantCulture), OwnProtocol.Version,
            .. against.Take(MaxNamed).SelectMany(other =>
                new[] { other.NodeName, protocol.VersionOf(other.NodeName) ?? "", why(other)?.ToString() ?? "" }),
        ]);

    private readonly record struct Refusal(AnnouncementOutcome Outcome, SteadyTime Since);
}
