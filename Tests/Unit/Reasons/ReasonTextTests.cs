using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Reasons;

/// <summary>Whatever crosses the wire as a value, people read a sentence of it.</summary>
public sealed class ReasonTextTests
{
    private const string Unknown = "that this version does not know";
    private const string Lags = "node-2: it sends through slot 1; no handshake with it was completed on the other slot";

    private static readonly LaggingNode Lagging = new("node-2", LaggingReason.Sends, Slot.One);

    public static TheoryData<LaggingReason> LaggingReasons => [.. Enum.GetValues<LaggingReason>()];

    public static TheoryData<RotationProblemCode> RotationProblemCodes => [.. Enum.GetValues<RotationProblemCode>()];

    public static TheoryData<RotationRefusalCode> RotationRefusalCodes => [.. Enum.GetValues<RotationRefusalCode>()];

    public static TheoryData<NodeProblemCode> NodeProblemCodes => [.. Enum.GetValues<NodeProblemCode>()];

    public static TheoryData<Transport> Transports => [.. Enum.GetValues<Transport>()];

    public static TheoryData<TransportReason> TransportReasons => [.. Enum.GetValues<TransportReason>()];

    [Theory]
    [MemberData(nameof(LaggingReasons))]
    public void Describe_EveryLaggingReason_HasAText(LaggingReason reason) =>
        AssertKnown(reason == LaggingReason.Unknown, RotationReasonText.Describe(Lagging with { Reason = reason }));

    [Theory]
    [MemberData(nameof(RotationProblemCodes))]
    public void Describe_EveryRotationProblem_HasAText(RotationProblemCode code) =>
        AssertKnown(code == RotationProblemCode.Unknown, RotationReasonText.Describe(Problem(code)));

    [Theory]
    [MemberData(nameof(RotationRefusalCodes))]
    public void Describe_EveryRotationRefusal_HasAText(RotationRefusalCode code) =>
        AssertKnown(code == RotationRefusalCode.Unknown, RotationReasonText.Describe(Refusal(code)));

    // Also one that came with fewer arguments than this version expects, or with none.
    [Theory]
    [MemberData(nameof(NodeProblemCodes))]
    public void Describe_EveryNodeProblem_HasAText(NodeProblemCode code)
    {
        AssertKnown(code == NodeProblemCode.Unknown, NodeProblemText.Describe(NodeProblem.Of(code, "a", "b", "c", "d", "e")));
        AssertKnown(code == NodeProblemCode.Unknown, NodeProblemText.Describe(NodeProblem.Of(code)));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public void Describe_EveryTransport_HasAText(Transport transport) =>
        Assert.Equal(transport == Transport.Unknown, TransportText.Describe(transport) == "unknown");

    [Theory]
    [MemberData(nameof(TransportReasons))]
    public void Describe_EveryTransportReason_HasAText(TransportReason reason) =>
        Assert.Equal(reason == TransportReason.Unknown, TransportText.Describe(reason).Length == 0);

    [Theory]
    [InlineData(LaggingReason.WouldNotLearnKey, "its silo does not answer, so it would not learn the new key")]
    [InlineData(LaggingReason.PathUnknown, "its silo does not answer, and nobody knows through which slot it sends")]
    [InlineData(LaggingReason.Sends, "it sends through slot 1; no handshake with it was completed on the other slot")]
    [InlineData(LaggingReason.SentLast, "its silo does not answer, and it sent through slot 1 when it last did")]
    [InlineData(LaggingReason.NoOtherHandshake, "it had shaken hands on no other slot when it last answered")]
    [InlineData(LaggingReason.MayMove, "it may still move to slot 1: its other key or ours serves no later epoch, or it has not heard which epochs ours serve")]
    [InlineData(LaggingReason.PacketsArrive, "packets of it still come in through slot 1")]
    [InlineData(LaggingReason.IsSentTo, "this node still sends to it through slot 1")]
    [InlineData((LaggingReason)99, "a reason that this version does not know (99)")]
    public void Describe_LaggingNode_Golden(LaggingReason reason, string expected) =>
        Assert.Equal(expected, RotationReasonText.Describe(Lagging with { Reason = reason }));

    [Theory]
    [InlineData(RotationProblemCode.Waits, 1, Lags)]
    [InlineData(RotationProblemCode.Waits, 3, Lags + ", and 2 more")]
    [InlineData(RotationProblemCode.Kept, 1, "kept the key for another turn, because it would cut off " + Lags)]
    [InlineData(
        RotationProblemCode.TooManyLagging, 3,
        "ROTATION IS FROZEN: the key is older than 01:00:00, and replacing it would cut off 3 of 8 live peers, more than 25 %. " + Lags + ", and 2 more")]
    [InlineData(RotationProblemCode.Replaced, 2, "replaced a key older than 01:00:00 although that cuts off " + Lags + ", and 1 more")]
    public void Describe_RotationProblem_Golden(RotationProblemCode code, int lagging, string expected) =>
        Assert.Equal(expected, RotationReasonText.Describe(Problem(code) with { LaggingPeers = lagging }));

    [Theory]
    [InlineData(RotationRefusalCode.Frozen, "'node-1' is frozen until 2026-01-01 00:00:00Z; unfreeze it first.")]
    [InlineData(RotationRefusalCode.HasKey, "'node-1' has the key of the next epoch already; the one after it can be brought forward from 2026-01-01 00:00:00Z on.")]
    [InlineData(RotationRefusalCode.PeersDepend, "Peers still depend on the key that 'node-1' would replace. " + Lags + ". Try again later.")]
    public void Describe_RotationRefusal_Golden(RotationRefusalCode code, string expected) =>
        Assert.Equal(expected, RotationReasonText.Describe(Refusal(code)));

    [Theory]
    [InlineData(NodeProblemCode.NotReconciled, "has not reconciled its device yet")]
    [InlineData(NodeProblemCode.HasNoKey, "has no key yet")]
    [InlineData(NodeProblemCode.DevicesFailed, "get cilium_wg0: no", "get cilium_wg0: no")]
    [InlineData(
        NodeProblemCode.TunnelsSilent,
        "no tunnel works to a since 03:04:05 UTC (tried 192.0.2.1:51871, 192.0.2.2:51871); b since 04:04:05 UTC (tried no address) and 2 more, although the silos answer",
        "4", "a", "2026-01-01T03:04:05Z", "192.0.2.1:51871, 192.0.2.2:51871", "b", "2026-01-01T05:04:05+01:00", "")]
    [InlineData(
        NodeProblemCode.ClockWrong,
        "the clock of this node says 1970-01-01 00:00:07Z, which cannot be, and nobody of the mesh could be asked for the time; set the clock",
        "1970-01-01T00:00:07.5Z")]
    [InlineData(NodeProblemCode.NotAnnounced, "has not announced its key yet")]
    [InlineData(NodeProblemCode.NotAnnounced, "has not announced its key yet: why", "why")]
    [InlineData(NodeProblemCode.TurnsFail, "cannot rotate or announce: why", "why")]
    [InlineData(NodeProblemCode.NoSilo, "no active silo; its tunnels keep the last key")]
    [InlineData(NodeProblemCode.NoAnswer, "no answer within 1 s", "1")]
    [InlineData(NodeProblemCode.NoObject, "has no CiliumNode object", "CiliumNode")]
    [InlineData(NodeProblemCode.ObjectWrong, "its Node object has no pod CIDR", "Node", "has no pod CIDR")]
    [InlineData(
        NodeProblemCode.NoPrefixes,
        "nothing tells what its pods have, so none of them is encrypted: why. Set Nodes:PodRanges to the ranges of the cluster's pods, so that the node's kernel can tell, or Nodes:Prefixes to the source that is right",
        "why")]
    [InlineData(NodeProblemCode.PrefixesOutdated, "what its pods have may be outdated (Node): why", "Node", "why")]
    [InlineData(NodeProblemCode.AnnotationWrong, "its annotation x shows AAAA, not the announced BBBB", "x", "AAAA", "BBBB")]
    [InlineData(NodeProblemCode.AnnotationWrong, "its annotation x shows no key at all, not the announced BBBB", "x", "", "BBBB")]
    [InlineData(
        NodeProblemCode.OverlapLost,
        "10.0.0.0/16 of Node 'b' overlaps 10.0.1.0/24 of Node 'a', which keeps it", "10.0.0.0/16", "Node 'b'", "10.0.1.0/24", "Node 'a'")]
    [InlineData(
        NodeProblemCode.OverlapKept,
        "Node 'a' keeps its 10.0.1.0/24, which Node 'b' claims too with 10.0.0.0/16", "Node 'a'", "10.0.1.0/24", "Node 'b'", "10.0.0.0/16")]
    [InlineData(
        NodeProblemCode.PodCIDRsLeftOut,
        "Node 'a' has 300 pod CIDRs; the widest 256 are announced, and the pods of the others are reached by no other node; 44 left out: x, y, z and 41 more",
        "Node 'a'", "300", "256", "44", "x", "y", "z")]
    [InlineData(
        NodeProblemCode.AddressesLeftOut,
        "Node 'a' has 9 addresses; the first 8 without a zone are announced, at least half of them of each IP family that has so many; 1 left out: x",
        "Node 'a'", "9", "8", "1", "x")]
    public void Describe_NodeProblem_Golden(NodeProblemCode code, string expected, params string[] arguments) =>
        Assert.Equal(expected, NodeProblemText.Describe(NodeProblem.Of(code, arguments)));

    [Fact]
    public void Describe_SeveralProblems_AreOneLine()
    {
        Assert.Null(NodeProblemText.Describe([]));
        EquatableArray<NodeProblem> problems = [NodeProblem.Of(NodeProblemCode.NoSilo), NodeProblem.Of(NodeProblemCode.MoreOverlaps, "5")];
        Assert.Equal("no active silo; its tunnels keep the last key; and 5 more", NodeProblemText.Describe(problems));
    }

    private static void AssertKnown(bool isUnknown, string text)
    {
        Assert.NotEmpty(text);
        Assert.Equal(isUnknown, text.Contains(Unknown, StringComparison.Ordinal));
    }

    private static RotationProblem Problem(RotationProblemCode code) => new(
        code, Lagging, LaggingPeers: 1, LivePeers: 8, TimeSpan.FromHours(1), MaxLaggingFraction: 0.25);

    private static RotationRefusal Refusal(RotationRefusalCode code) => new(
        code, "node-1", TestMesh.Start, code == RotationRefusalCode.PeersDepend ? Problem(RotationProblemCode.Waits) : null);
}
