using System.Collections.Concurrent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>Which version of the protocol the silos of this mesh speak with each other: the highest that all of them know.</summary>
/// <remarks>
/// Each silo tells what it speaks whenever it answers another one; who says nothing is older than the question. Nothing newer than what all
/// know is announced, because an announcement is passed on. The effective version falls at once, and rises when it could have been higher
/// for <see cref="RiseAfter"/>: a silo that says another thing each second keeps it down, and moves nothing.
/// </remarks>
/// <param name="own">What this silo speaks.</param>
/// <param name="store">Who has announced, by the roster.</param>
/// <param name="members">Which of them is this node, and which silo stands for another one.</param>
/// <param name="timeProvider">By which waits are told.</param>
internal sealed class MeshProtocol(
    ProtocolRange own, AnnouncementStore store, MeshMembers members, TimeProvider timeProvider)
{
    /// <summary>How long all must have known a higher version before it is used.</summary>
    public static readonly TimeSpan RiseAfter = TimeSpan.FromSeconds(10);

    // One silo that says what nobody can speak shall not keep another one from starting, unless there is nobody else to ask.
    private const int EnoughMisfits = 3;

    private readonly ConcurrentDictionary<string, Said> _said = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private int _effective = own.Min;
    private int _candidate = own.Min;
    private SteadyTime _candidateSince;

    /// <summary>The version that is spoken now.</summary>
    public int Effective
    {
        get
        {
            lock (_lock)
            {
                var (now, common) = (SteadyTime.Now(timeProvider), FindCommon());
                if (common < _effective)
                {
                    _effective = common;
                }

                if (common != _candidate)
                {
                    (_candidate, _candidateSince) = (common, now);
                }

                if (common > _effective && now - _candidateSince >= RiseAfter)
                {
                    _effective = common;
                }

                return _effective;
            }
        }
    }

    /// <summary>The extensions that this silo announces.</summary>
    public EquatableArray<byte> Extensions => OwnProtocol.BuildExtensions(Effective);

    /// <summary>
    /// What a node's silo said of itself when it answered last, or else what the node announced; <see cref="ProtocolRange.Silent"/> if it
    /// says nothing.
    /// </summary>
    public ProtocolRange Of(string nodeName) =>
        _said.TryGetValue(nodeName, out var said) ? said.Range ?? ProtocolRange.Silent
        : FindAnnounced(nodeName)?.Range ?? ProtocolRange.Silent;

    /// <summary>
    /// What this very silo said of itself; <see langword="null"/> if it has not answered yet. By this a new call is made or not: what is
    /// known of its node may be of the silo before, which was of another release.
    /// </summary>
    public ProtocolRange? Of(SiloAddress silo, string nodeName) =>
        _said.TryGetValue(nodeName, out var said) && said.Silo.Equals(silo) ? said.Range ?? ProtocolRange.Silent : null;

    /// <summary>The version of a node's silo, for people; <see langword="null"/> if nobody has told.</summary>
    public string? VersionOf(string nodeName) =>
        _said.TryGetValue(nodeName, out var said) ? said.Version : FindAnnounced(nodeName)?.Version;

    /// <summary>Notes what a silo said of itself when it answered.</summary>
    /// <param name="silo">The silo.</param>
    /// <param name="nodeName">Its node.</param>
    /// <param name="range">What it speaks; <see langword="null"/> if it said nothing.</param>
    /// <param name="version">Its version; <see langword="null"/> where the answer has none, and then what it said before stays.</param>
    public void Note(SiloAddress silo, string nodeName, ProtocolRange? range, string? version = null) => _said.AddOrUpdate(
        nodeName,
        static (_, now) => now,
        static (_, former, now) => former.Silo.Equals(now.Silo) ? now with { Version = now.Version ?? former.Version } : now,
        new Said(silo, range, version));

    /// <summary>Why this silo cannot be in the mesh, in a sentence; <see langword="null"/> if it can, or has not heard enough.</summary>
    /// <remarks>
    /// It can if one silo that has answered speaks what it speaks. For somebody who joins: a silo that is in the mesh refuses who comes.
    /// </remarks>
    public string? FindMisfit()
    {
        var others = members.OtherNames;
        var heard = _said.Where(said => others.Contains(said.Key)).ToList();
        if (heard.Count < Math.Min(EnoughMisfits, Math.Max(others.Count, 1))
            || heard.Any(said => own.Meets(Of(said.Key))))
        {
            return null;
        }

        var (node, (_, range, version)) = heard.MinBy(said => said.Value.Range?.Max ?? ProtocolRange.Silent.Max);
        return $"this silo, version {OwnProtocol.Version}, speaks protocol {own}, but those of the mesh do not: the oldest, on "
            + $"'{node}', is version {Printable.Line(version ?? "unknown")} and speaks {range ?? ProtocolRange.Silent}; "
            + "only a release and the one before it may be in one mesh, so "
            + ((range ?? ProtocolRange.Silent).Max < own.Min
                ? "roll out the releases between the two first, each on all nodes"
                : "roll out that release here, or the one before it");
    }

    /// <summary>Forgets the nodes that are gone.</summary>
    public void Forget(Func<string, bool> isPresent)
    {
        foreach (var name in _said.Keys.Where(name => !isPresent(name)))
        {
            _said.TryRemove(name, out _);
        }
    }

    // Whoever speaks nothing that this silo knows is refused, and has no say in what the others speak.
    private int FindCommon() => store.Announcements.Keys
        .Where(name => name != members.LocalNodeName)
        .Select(Of)
        .Where(own.Meets)
        .Select(range => Math.Min(range.Max, own.Max))
        .DefaultIfEmpty(own.Max)
        .Min();

    private (ProtocolRange Range, string Version)? FindAnnounced(string nodeName) =>
        store.Announcements.TryGetValue(nodeName, out var announcement)
            ? AnnouncementExtensions.FindProtocol(announcement.Extensions)
            : null;

    private sealed record Said(SiloAddress Silo, ProtocolRange? Range, string? Version);
}
