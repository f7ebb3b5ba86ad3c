using System.Net;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Placement;
using Orleans.WireGuard.Silo.Security;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Serialization;

/// <summary>A value of every type that crosses the wire, with no member left at its default where that can be helped.</summary>
internal static class WireSamples
{
    private static readonly DateTimeOffset Time = new(2026, 1, 1, 0, 0, 0, 123, TimeSpan.Zero);
    private static readonly AnnouncementSequence Sequence = new(new Epoch(14_726_880), 1234);
    private static readonly IPPrefix PodCIDR = IPPrefix.Parse("10.244.1.0/24");
    private static readonly IPPrefix PodCIDRv6 = IPPrefix.Parse("fd00:1::/64");
    private static readonly SlotAnnouncement SlotAnnouncement =
        new(Slot.One, Key(0x22), new Epoch(14_726_879), 51872) { ServesEpoch = new Epoch(14_726_881) };
    private static readonly PathStatus Path = new("node-2", Slot.One, Key(0x44), IsProven: true);
    private static readonly LaggingNode Lagging = new("node-3", LaggingReason.PacketsArrive, Slot.One);
    private static readonly ClockSkew Skew = new("node-2", TimeSpan.FromMilliseconds(-250), Time);

    private static readonly SlotStatus SlotStatus = new(Slot.One, Key(0x22), new Epoch(14_726_879), Time)
    {
        ServesEpoch = new Epoch(14_726_881),
        Phase = SlotPhase.Carrying,
    };

    private static readonly RotationProblem RotationProblem = new(
        RotationProblemCode.Kept, Lagging, LaggingPeers: 2, LivePeers: 9, TimeSpan.FromHours(1), 0.25);

    private static readonly RotationStatus Rotation = new()
    {
        ActiveSlot = Slot.One,
        CutOverPeers = 2,
        Peers = 3,
        LastDuration = TimeSpan.FromMilliseconds(480),
        Lagging = [Lagging],
        Deferrals = 1,
        HandshakeRetries = 4,
        FrozenUntil = Time.AddMinutes(10),
        ClockCorrection = TimeSpan.FromSeconds(-31),
        ClockSkews = [Skew],
        Problem = RotationProblem,
    };

    private static readonly RotationRefusal Refused = new(RotationRefusalCode.PeersDepend, "node-1", Time.AddMinutes(10), RotationProblem);

    private static readonly RefusalCount Refusal = new(
        AnnouncementOutcome.KeyOfAnotherNode, 3, "node-2", "key AAAA belongs to 'node-3'", Time);
    private static readonly ReceiverStatus Receiver = new(
        "node-2", AnnouncementOutcome.Applied, TimeSpan.FromMilliseconds(12), 2, NodeProblem.Of(NodeProblemCode.NoAnswer, "2"));
    private static readonly DeliveryStatus Delivery = new(Sequence, Time, [Receiver]);
    private static readonly ProtocolRange Protocol = new(2, 3);
    private static readonly DigestEntry DigestEntry = new("node-1", Sequence);

    private static readonly PeerAnnouncement Announcement = new()
    {
        NodeName = "node-1",
        Identity = new IdentityKey(Key(0x11).ToArray()),
        Sequence = Sequence,
        Slots = [new SlotAnnouncement(Slot.Zero, Key(0x33), new Epoch(14_726_880), 51871), SlotAnnouncement],
        Endpoints = [IPAddress.Parse("192.168.100.1"), IPAddress.Parse("fd00::1")],
        AllowedIPs = [PodCIDR, PodCIDRv6],
        IssuedAt = Time,
        Signature = [.. Enumerable.Range(0, 64).Select(i => (byte)i)],
        FrozenUntil = Time.AddMinutes(10),
        Extensions = [0, 9, 0, 1, 42],
    };

    private static readonly Encapsulation Encapsulation = Encapsulation.Udp(8472);
    private static readonly HeldBackPrefix HeldBack = new("node-3", IPPrefix.Parse("10.244.2.7/32"), HeldBackReason.HeldByAnotherNode)
    {
        OtherNode = "node-2",
        OtherPrefix = IPPrefix.Parse("10.244.2.0/24"),
    };

    private static readonly AddressAnnouncement Addresses = new()
    {
        NodeName = "node-1",
        Identity = new IdentityKey(Key(0x11).ToArray()),
        Sequence = Sequence,
        Prefixes = [PodCIDR, PodCIDRv6],
        NodeAddresses = [IPAddress.Parse("10.244.1.1")],
        Encapsulations = [Encapsulation],
        Signature = [.. Enumerable.Range(0, 64).Select(i => (byte)i)],
    };

    private static readonly AddressStatus AddressStatus = new()
    {
        Source = "NodeNetworkConfig",
        Because = "the first that exists",
        Prefixes = [PodCIDR],
        PrefixCount = 1,
        LeftOut = 2,
        PodRanges = [IPPrefix.Parse("10.244.0.0/16")],
        HeldBack = [HeldBack],
        HeldBackCount = 1,
        BehindNodes = ["node-2"],
        BehindCount = 1,
        OldNodes = ["node-3"],
        NodeAddresses = [IPAddress.Parse("10.244.1.1")],
        Encapsulations = [Encapsulation],
        ExemptNodes = ["win-1"],
        ExemptCount = 1,
    };

    private static readonly PeerStatus Peer = new(
        "node-2", Key(0x44), IPEndPoint.Parse("192.168.100.2:51871"),
        [IPPrefix.Parse("10.244.2.0/24")], Time, 1_000_000, 2_000_000, PeerState.Up);

    private static readonly DeviceStatus Device = new(Slot.One, "cilium_wg1", Transport.Uapi, Key(0x33), 51872, 1440, [Peer])
    {
        TransportReason = TransportReason.KernelHasNone,
    };

    private static readonly DriftCount Drift = new(DriftKind.EndpointChanged, 4, "peer BBBB", Time);
    private static readonly KeyAgreement Agreement = new("node-1", "node-2", Slot.One, AgreementState.Differs, Key(0x33), Key(0x34), Time);

    private static readonly FindingEvidence Evidence = new("pod", "10.250.0.7/32 at veth1");
    private static readonly Finding Finding = new(
        FindingCode.PodsOutsidePrefixes, FindingSeverity.Error, "10.244.1.0/24", [Evidence], Time);
    private static readonly WitnessStatus Witness = new(1, 2, 3, 4, 5, 6, IsPartial: true);

    private static readonly NodeProblem Problem =
        NodeProblem.Of(NodeProblemCode.StrictWithheld, "not used, but it may be") with { Finding = Finding };
    private static readonly NodeProblem Waits = NodeProblem.Of(NodeProblemCode.WaitsForSilo);

    private static readonly NodeStatus Status = new()
    {
        NodeName = "node-1",
        TakenAt = Time,
        Epoch = new Epoch(14_726_880),
        RotationPeriod = TimeSpan.FromSeconds(120),
        NextRotationAt = Time.AddSeconds(90),
        Rotations = 7,
        Slots = [SlotStatus],
        Devices = [Device],
        Delivery = Delivery,
        Refusals = [Refusal],
        Drifts = [Drift],
        Problems = [Waits],
        DroppedPackets = 12,
        DroppedOutgoingPackets = 5,
        Paths = [Path],
        Findings = [Finding],
        Witness = Witness,
        IsStrictWithheld = true,
        Rotation = Rotation,
        Version = "0.3.0",
        Protocol = Protocol,
        EffectiveProtocol = 3,
        Addresses = AddressStatus,
    };

    private static readonly MeshNode Node = new("node-1", Status, [Waits])
    {
        Notes = [NodeProblem.Of(
            NodeProblemCode.OverlapKept, "Node 'node-1'", "10.244.1.0/24", "Node 'node-9'", "10.244.0.0/16")],
    };

    /// <summary>The values, by type; of a generic type by its definition.</summary>
    public static IReadOnlyDictionary<Type, object> All { get; } = new Dictionary<Type, object>
    {
        [typeof(AddressAnnouncement)] = Addresses,
        [typeof(AddressStatus)] = AddressStatus,
        [typeof(Encapsulation)] = Encapsulation,
        [typeof(HeldBackPrefix)] = HeldBack,
        [typeof(AnnouncementReceipt)] = new AnnouncementReceipt("node-2", AnnouncementOutcome.StaleSequence, Sequence),
        [typeof(AnnouncementSequence)] = Sequence,
        [typeof(ClockSkew)] = Skew,
        [typeof(DeliveryStatus)] = Delivery,
        [typeof(DeviceStatus)] = Device,
        [typeof(DigestEntry)] = DigestEntry,
        [typeof(DriftCount)] = Drift,
        [typeof(DigestReply)] = new DigestReply([Announcement], ["node-2", "node-3"])
        {
            Protocol = Protocol,
            Version = "0.3.0",
            NewerAddresses = [Addresses],
            WantedAddresses = ["node-4"],
        },
        [typeof(Epoch)] = new Epoch(14_726_880),
        [typeof(EquatableArray<>)] = new EquatableArray<string>(["a", "b"]),
        [typeof(Finding)] = Finding,
        [typeof(FindingEvidence)] = Evidence,
        [typeof(IPPrefix)] = PodCIDRv6,
        [typeof(KeyAgreement)] = Agreement,
        [typeof(LaggingNode)] = Lagging,
        [typeof(ClientPreamble)] = new ClientPreamble { NodeIdentity = GrainId.Create("sys.client", "0123456789") },
        [typeof(MeshDigest)] = new MeshDigest([DigestEntry]) { Protocol = Protocol, Addresses = [DigestEntry] },
        [typeof(MeshNode)] = Node,
        [typeof(MeshSnapshot)] = new MeshSnapshot(Time, [Node], [Agreement]),
        [typeof(MeshTooLargeException)] = new MeshTooLargeException(130, 100),
        [typeof(NodeLocalPlacement)] = new NodeLocalPlacement(),
        [typeof(NodeProblem)] = Problem,
        [typeof(NodeStatus)] = Status,
        [typeof(NodeUnavailableException)] = new NodeUnavailableException("node-2", "No active silo hosts node 'node-2'."),
        [typeof(PathReply)] = new PathReply(Path, Time) { Protocol = Protocol },
        [typeof(ProtocolRange)] = Protocol,
        [typeof(PathStatus)] = Path,
        [typeof(PeerAnnouncement)] = Announcement,
        [typeof(PeerStatus)] = Peer,
        [typeof(IdentityKey)] = new IdentityKey(Key(0x11).ToArray()),
        [typeof(PublicKey)] = PublicKey.Parse("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="),
        [typeof(ReceiverStatus)] = Receiver,
        [typeof(RefusalCount)] = Refusal,
        [typeof(RotationFailedException)] = new RotationFailedException("The device of 'node-1' did not take the new key."),
        [typeof(RotationProblem)] = RotationProblem,
        [typeof(RotationRefusal)] = Refused,
        [typeof(RotationRefusedException)] = new RotationRefusedException(Refused, "Peers still depend on the key."),
        [typeof(RotationReceipt)] = new RotationReceipt("node-1", Key(0x33), Key(0x34), Sequence),
        [typeof(RotationStatus)] = Rotation,
        [typeof(Slot)] = Slot.One,
        [typeof(SlotAnnouncement)] = SlotAnnouncement,
        [typeof(SlotStatus)] = SlotStatus,
        [typeof(WitnessStatus)] = Witness,
    };

    /// <summary>Every type that has a generated serializer.</summary>
    public static IEnumerable<Type> FindTypes() =>
        Product.Types.Where(type => type.IsDefined(typeof(GenerateSerializerAttribute), inherit: false));

    /// <summary>A value in a form in which exceptions and strategies compare too.</summary>
    public static object Comparable(object value) => value switch
    {
        NodeUnavailableException e => (e.GetType(), e.NodeName, e.Message),
        MeshTooLargeException e => (e.GetType(), e.Nodes, e.MaxNodes, e.Message),
        RotationRefusedException e => (e.GetType(), e.Refusal, e.Message),
        Exception e => (e.GetType(), e.Message),
        PlacementStrategy strategy => strategy.GetType(),
        _ => value,
    };

    private static PublicKey Key(byte part) => new([.. Enumerable.Repeat(part, PublicKey.Size)]);
}
