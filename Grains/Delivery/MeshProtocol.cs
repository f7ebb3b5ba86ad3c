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

    // So many have to have said what they speak, if there are so many, before a silo gives up.
    private const int EnoughHeard = 3;

    private readonly ConcurrentDictionary<string, Said> _said = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private volatile int _effective = own.Min;
    private int _candidate = own.Min;
    private SteadyTime _candidateSince;

    /// <summary>The version that is spoken now, as of the last <see cref="Follow"/>.</summary>
    public int Effective => _effective;

    /// <summary>Looks what all know now. Called again and again, and when somebody knows less.</summary>
    public void Follow()
    {
        lock (_lock)
        {
            var (now, common) = (SteadyTime.Now(timeProvider), FindCommon());
            if (common != _candidate)
            {
                (_candidate, _candidateSince) = (common, now);
            }

            if (common < _effective || (common > _effective && now - _candidateSince >= RiseAfter))
            {
                _effective = common;
            }
        }
    }

    /// <summary>The extensions that this silo announces.</summary>
    public EquatableArray<byte> Extensions => OwnProtocol.BuildExtensions(Effective);

    /// <summary>Whether this silo and one that said this of itself speak a version in common.</summary>
    /// <param name="said">What it said; <see langword="null"/> if nothing.</param>
    public bool CanSpeak(ProtocolRange? said) => own.Meets(said ?? ProtocolRange.Silent);

    /// <summary>
    /// What a node's silo said of itself when it answered last, be it nothing, or else what the node announced; <see langword="null"/> if
    /// it has neither answered nor announced it: below version 3 nobody can.
    /// </summary>
    public ProtocolRange? Of(string nodeName) =>
        _said.TryGetValue(nodeName, out var said) ? said.Range ?? ProtocolRange.Silent : FindAnnounced(nodeName)?.Range;

    /// <summary>
    /// What this very silo said of itself; <see langword="null"/> if it has not answered yet. By this a new call is made or not: what is
    /// known of its node may be of the silo before, which was of another release.
    /// </summary>
    public ProtocolRange? Of(SiloAddress silo, string nodeName) =>
        _said.TryGetValue(nodeName, out var said) && said.Silo.Equals(silo) ? said.Range ?? ProtocolRange.Silent : null;

    /// <summary>The version of a node's silo, for people; <see langword="null"/> if nobody has told.</summary>
    public string? VersionOf(string nodeName) =>
        _said.TryGetValue(nodeName, out var said) && said.Version is { } version ? version
            : FindAnnounced(nodeName) is { } announced ? Bound(announced.Version) : null;

    /// <summary>Notes what a silo said of itself when it answered.</summary>
    /// <param name="silo">The silo.</param>
    /// <param name="nodeName">Its node.</param>
    /// <param name="range">What it speaks; <see langword="null"/> if it said nothing.</param>
    /// <param name="version">Its version; <see langword="null"/> where the answer has none, and then what it said before stays.</param>
    public void Note(SiloAddress silo, string nodeName, ProtocolRange? range, string? version = null)
    {
        _said.AddOrUpdate(
            nodeName,
            static (_, now) => now,
            static (_, former, now) => former.Silo.Equals(now.Silo) ? now with { Version = now.Version ?? former.Version } : now,
            new Said(silo, range, version is null ? null : Bound(version)));
        if ((range ?? ProtocolRange.Silent).Max < _effective)
        {
            Follow();
        }
    }

    /// <summary>Why this silo cannot be in the mesh, in a sentence; <see langword="null"/> if it can, or has not heard enough.</summary>
    /// <remarks>
    /// It cannot if most of those that have answered speak nothing that it speaks. For somebody who joins: a silo that is in the mesh
    /// refuses who comes. What cannot be a range counts for nothing.
    /// </remarks>
    public string? FindMisfit()
    {
        var others = members.OtherNames;
        var heard = _said.Where(said => others.Contains(said.Key))
            .Select(said => (Node: said.Key, Range: said.Value.Range ?? ProtocolRange.Silent, said.Value.Version))
            .Where(said => said.Range.IsValid).ToList();
        var strangers = heard.Where(said => !own.Meets(said.Range)).ToList();
        if (heard.Count < Math.Min(EnoughHeard, others.Count) || strangers.Count * 2 <= heard.Count)
        {
            return null;
        }

        var (node, range, version) = strangers.MinBy(said => said.Range.Max);
        return $"this silo, version {OwnProtocol.Version}, speaks protocol {own}, but most of the mesh does not: the oldest, on "
            + $"'{node}', is version {version ?? "unknown"} and speaks {range}; only a release and the one before it may be in one mesh, so "
            + (range.Max < own.Min
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

    // Of whom nothing is known yet, the least is taken. Whoever speaks nothing that this silo knows is refused, and has no say in what the
    // others speak.
    private int FindCommon() => store.Announcements.Keys
        .Where(name => name != members.LocalNodeName)
        .Select(name => Of(name) ?? new ProtocolRange(own.Min, own.Min))
        .Where(own.Meets)
        .Select(range => Math.Min(range.Max, own.Max))
        .DefaultIfEmpty(own.Max)
        .Min();

    private static string Bound(string version) => Printable.Line(version, AnnouncementExtensions.MaxVersionLength);

    private (ProtocolRange Range, string Version)? FindAnnounced(string nodeName) =>
        store.Announcements.TryGetValue(nodeName, out var announcement)
            ? AnnouncementExtensions.FindProtocol(announcement.Extensions)
            : null;

    private sealed record Said(SiloAddress Silo, ProtocolRange? Range, string? Version);
}
