using CsCheck;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>The block of what came later: read where it is known, kept where it is not, and never trusted.</summary>
public sealed class AnnouncementExtensionsTests
{
    [Fact]
    public void Build_Golden_IsTheLayout() => Assert.Equal(
        "0001" + "0007" + "02" + "03" + "302e332e30",
        Convert.ToHexStringLower([.. Block(new ProtocolRange(2, 3), "0.3.0")]));

    [Fact]
    public void FindProtocol_OwnBlock_IsWhatWasBuilt() =>
        Gen.Select(Gen.Int[1, 255], Gen.Int[1, 255], Gen.String).Sample((min, max, version) =>
    {
        var block = Block(new ProtocolRange(min, max), version);
        Assert.Null(AnnouncementExtensions.FindFault(block));
        Assert.Equal(new ProtocolRange(min, max), AnnouncementExtensions.FindProtocol(block)!.Value.Range);
    });

    // A later release has put another entry before ours and one behind it.
    [Fact]
    public void FindProtocol_AmongUnknownEntries_IsFound()
    {
        EquatableArray<byte> block = [0, 0, 0, 2, 7, 7, .. Block(new ProtocolRange(3, 4), "1.0"), 0, 9, 0, 0];
        Assert.Null(AnnouncementExtensions.FindFault(block));
        Assert.Equal((new ProtocolRange(3, 4), "1.0"), AnnouncementExtensions.FindProtocol(block));
        Assert.Null(AnnouncementExtensions.FindProtocol([0, 9, 0, 0]));
        Assert.Null(AnnouncementExtensions.FindProtocol([]));
    }

    // A silo that does not know entry 9 holds it, gives it to a third one, and the signature is still that of its node.
    [Fact]
    public void Offer_UnknownEntry_IsKeptAndPassedOnUnchanged()
    {
        using var identity = new Identity();
        var signed = identity.Sign(TestMesh.Announce(2) with { Extensions = [.. Block(new ProtocolRange(3, 4), "1.0"), 0, 9, 0, 1, 42] });
        var (second, third) = (Store(), Store());
        Assert.True(second.Offer(signed).IsTaken);
        var passedOn = Assert.Single(DigestComparison.Compare(DigestComparison.ToDigest(third.Announcements), second.Announcements).Newer);
        Assert.Equal(signed.Extensions, passedOn.Extensions);
        Assert.True(third.Offer(passedOn).IsTaken);
        Assert.Equal(
            AnnouncementOutcome.BadSignature,
            Store().Offer(passedOn with { Extensions = Block(new ProtocolRange(3, 4), "1.0") }).Outcome);
    }

    [Theory]
    [InlineData(new byte[] { 0 }, "end within an entry")]
    [InlineData(new byte[] { 0, 1, 0, 9, 1 }, "end within an entry")]
    [InlineData(new byte[] { 0, 2, 0, 0, 0, 1, 0, 0 }, "extension 1 follows 2")]
    [InlineData(new byte[] { 0, 2, 0, 0, 0, 2, 0, 0 }, "extension 2 follows 2")]
    public void FindFault_BrokenBlock_IsSaid(byte[] block, string expected) =>
        Assert.Contains(expected, AnnouncementExtensions.FindFault([.. block]), StringComparison.Ordinal);

    [Fact]
    public void FindFault_TooLong_IsSaid() => Assert.Contains(
        "at most 4096", AnnouncementExtensions.FindFault([.. new byte[PeerAnnouncement.MaxExtensionBytes + 1]]), StringComparison.Ordinal);

    // Whatever comes, it is read to its end or refused.
    [Fact]
    public void FindFault_AnyBytes_DoesNotThrow() => Gen.Byte.Array[0, 64].Sample(bytes =>
    {
        _ = AnnouncementExtensions.FindFault([.. bytes]);
        _ = AnnouncementExtensions.FindProtocol([.. bytes]);
    });

    private static EquatableArray<byte> Block(ProtocolRange range, string version) => AnnouncementExtensions.Build(
        (AnnouncementExtensions.ProtocolEntry, AnnouncementExtensions.EncodeProtocol(range, version)));

    private static AnnouncementStore Store()
    {
        var roster = new FakeRosterSource(0);
        roster.Set(TestMesh.Roster(1, 2, 3));
        return TestMesh.Store(roster, new FakeMembership(1, 2, 3), new WaitableTimeProvider(TestMesh.Start));
    }
}
