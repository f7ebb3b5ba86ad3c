using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Everything the desired state follows from, taken at one moment. Made once for each pass, with the answers that its steps have in common.
/// </summary>
internal sealed record MeshView
{
    private readonly IReadOnlyDictionary<PublicKey, string>[] _nodeNames;
    private readonly Func<string, IReadOnlyCollection<IPPrefix>?> _granted;

    /// <summary>Takes it.</summary>
    /// <param name="nodeName">This node.</param>
    /// <param name="keys">Its key pairs.</param>
    /// <param name="announcements">What is held, by node name, this node's own included.</param>
    /// <param name="roster">
    /// Who the nodes are and what their pods have; <see langword="null"/> until the sources have answered.
    /// </param>
    /// <param name="isSynced">Whether the other silos have been asked for their announcements.</param>
    /// <param name="isSettled">
    /// Whether <paramref name="keys"/> has what the devices had at start, so that a slot without a key shall have none.
    /// </param>
    /// <param name="granted">
    /// What of the announced prefixes of a node counts while <paramref name="roster"/> is unknown; <see langword="null"/> for a node that
    /// has announced none.
    /// </param>
    public MeshView(
        string nodeName,
        IReadOnlyList<SlotKey> keys,
        IReadOnlyDictionary<string, PeerAnnouncement> announcements,
        NodeRoster? roster,
        bool isSynced,
        bool isSettled,
        Func<string, IReadOnlyCollection<IPPrefix>?>? granted = null)
    {
        _granted = granted ?? (static _ => null);
        (NodeName, Keys, Announcements, Roster, IsSynced, IsSettled) = (nodeName, keys, announcements, roster, isSynced, isSettled);
        Self = roster?.Find(nodeName);
        Facts = roster is not null && Self is not null ? RosterFacts.Of(roster, Self) : null;
        var others = announcements.Values.Where(announcement => announcement.NodeName != nodeName).Where(IsOfTheMesh).ToList();
        Others = [.. others.Where(HasAddresses).Select(Explain)];
        IsComplete = Others.Count == others.Count;
        OtherNames = Others.Select(other => other.NodeName).ToHashSet(StringComparer.Ordinal);
        _nodeNames = [.. SlotDevices.Slots(Slot.Count).Select(FindNodeNames)];
    }

    /// <summary>This node.</summary>
    public string NodeName { get; }

    /// <summary>Its key pairs.</summary>
    public IReadOnlyList<SlotKey> Keys { get; init; }

    /// <summary>What is held, by node name, this node's own included.</summary>
    public IReadOnlyDictionary<string, PeerAnnouncement> Announcements { get; }

    /// <summary>Who the nodes are; <see langword="null"/> until the source has answered.</summary>
    public NodeRoster? Roster { get; }

    /// <summary>Whether the other silos have been asked for their announcements.</summary>
    public bool IsSynced { get; }

    /// <summary>Whether <see cref="Keys"/> has what the devices had at start.</summary>
    public bool IsSettled { get; init; }

    /// <summary>This node as the roster has it; <see langword="null"/> if the roster is unknown or does not list it.</summary>
    public RosterNode? Self { get; }

    /// <summary>What follows from the roster for this node; <see langword="null"/> as <see cref="Self"/> is.</summary>
    public RosterFacts? Facts { get; }

    /// <summary>Whether packets to and from nodes themselves take the tunnels (<see cref="EncryptionOptions.NodeAddresses"/>).</summary>
    public bool CarriesNodes { get; init; }

    /// <summary>
    /// Whether pods' packets to nodes are led through the tunnels too. Not where a link to the peers checks sources strictly (rp_filter=1):
    /// the nodes' own packets to pods come in there, in clear, and would be dropped because the way back is another one.
    /// </summary>
    public bool LeadsToNodes { get; init; } = true;

    /// <summary>What another data plane of this node packs; <see langword="null"/> while nobody has looked.</summary>
    public OwnEncapsulation? Encapsulation { get; init; }

    /// <summary>What this node's devices are called.</summary>
    public DeviceNames DeviceNames { get; init; } = DeviceNames.Default;

    /// <summary>
    /// The accepted announcements of the other nodes of the mesh; their allowed IPs are what <see cref="Roster"/> has for their pods.
    /// </summary>
    public IReadOnlyList<PeerAnnouncement> Others { get; }

    /// <summary>
    /// Whether <see cref="Others"/> has all nodes that announced keys. Who has announced no addresses yet is left out while nobody knows what
    /// else its pods have: as a peer without any it would lose those that a former process gave it.
    /// </summary>
    public bool IsComplete { get; }

    /// <summary>The names of <see cref="Others"/>.</summary>
    public IReadOnlySet<string> OtherNames { get; }

    /// <summary>
    /// Whether every source has answered once, so that what they do not mention may be removed (invariant I4). A roster that does not list
    /// this node is not one of its mesh.
    /// </summary>
    public bool MayRemove => IsSynced && Self is not null;

    /// <summary>The names of the other nodes, by the key that they announced for a slot.</summary>
    public IReadOnlyDictionary<PublicKey, string> NodeNamesOf(Slot slot) => _nodeNames[slot.Index];

    /// <summary>The addresses of a node that has announced itself, as host prefixes that its tunnel carries too. Sorted.</summary>
    public EquatableArray<IPPrefix> CarriedAddressesOf(string nodeName) =>
        (CarriesNodes || (Encapsulation?.IsWanted ?? IsEncapsulating(nodeName))) && OtherNames.Contains(nodeName)
            ? Facts?.NodeAddresses.GetValueOrDefault(nodeName) ?? []
            : [];

    /// <summary>Those of them to which packets of pods are led.</summary>
    public EquatableArray<IPPrefix> LedAddressesOf(string nodeName) => CarriesNodes ? CarriedAddressesOf(nodeName) : [];

    /// <summary>Whether a node has announced what its pods have, which a silo of a former release does not.</summary>
    public bool HasAnnouncedAddresses(string nodeName) => _granted(nodeName) is not null;

    /// <summary>Whether a node and this one both lead packets that are packed alike through the tunnel between them.</summary>
    public bool IsEncapsulating(string nodeName) =>
        Roster?.Find(nodeName) is { IsExempt: false } node && node.NodeName != NodeName
            && node.Encapsulations.Any(packet => Encapsulation?.Packets.Contains(packet) != false);

    private bool IsOfTheMesh(PeerAnnouncement announcement) => Self is null || Roster!.Find(announcement.NodeName) is not null;

    private bool HasAddresses(PeerAnnouncement announcement) =>
        Roster is not null || announcement.AllowedIPs.Count > 0 || _granted(announcement.NodeName) is not null;

    // What a node's pods have is said apart from its keys. Until it is known who the nodes are, what they announced is all there is, as
    // far as they agree.
    private PeerAnnouncement Explain(PeerAnnouncement announcement)
    {
        var name = announcement.NodeName;
        var prefixes = Roster?.Find(name)?.PodCIDRs ?? _granted(name)?.ToEquatableArray()
            ?? announcement.AllowedIPs.Where(prefix => FindOtherClaim(prefix, name) is null).ToEquatableArray();
        return prefixes == announcement.AllowedIPs ? announcement : announcement with { AllowedIPs = prefixes };
    }

    private string? FindOtherClaim(IPPrefix prefix, string nodeName) => Announcements.Values
        .Where(other => string.CompareOrdinal(other.NodeName, nodeName) < 0 && other.AllowedIPs.Any(prefix.Overlaps))
        .Select(other => other.NodeName).FirstOrDefault();

    private Dictionary<PublicKey, string> FindNodeNames(Slot slot) =>
        Others.Where(other => other.Find(slot) is not null)
            .ToDictionary(other => other.Find(slot)!.PublicKey, other => other.NodeName);
}
