using System.Net;
using CsCheck;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>The bytes that are signed: for ever the same ones, and never those of another announcement.</summary>
public sealed class AnnouncementEncodingTests
{
    private static readonly PeerAnnouncement Golden = new()
    {
        NodeName = "node-1",
        Identity = new IdentityKey([.. Enumerable.Repeat((byte)0x11, IdentityKey.Size)]),
        Sequence = new AnnouncementSequence(new Epoch(0x0102030405060708), 0x1112131415161718),
        Slots =
        [
            new SlotAnnouncement(Slot.Zero, new PublicKey([.. Enumerable.Repeat((byte)0x22, PublicKey.Size)]), new Epoch(2), 51871),
            new SlotAnnouncement(Slot.One, new PublicKey(
                [.. Enumerable.Repeat((byte)0x33, PublicKey.Size)]), new Epoch(3), 51872) { ServesEpoch = new Epoch(5) },
        ],
        Endpoints = [IPAddress.Parse("192.168.100.1"), IPAddress.Parse("fd00::1")],
        AllowedIPs = [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:1::/64")],
        IssuedAt = new DateTimeOffset(2026, 1, 1, 1, 0, 0, TimeSpan.FromHours(1)),
        Signature = [1, 2, 3],
        FrozenUntil = new DateTimeOffset(2026, 1, 1, 0, 10, 0, TimeSpan.Zero),
    };

    // Written by hand from the layout in the remarks of AnnouncementEncoding, a line for each part.
    private const string GoldenHex =
        "6f726c65616e732d776972656775617264" + "2f616e6e6f756e63656d656e74" + "2f3200" // context
        + "0006" + "6e6f64652d31" // name
        + "1111111111111111111111111111111111111111111111111111111111111111" // identity
        + "0102030405060708" + "1112131415161718" // sequence
        + "02" // slots
        + "00" + "2222222222222222222222222222222222222222222222222222222222222222" + "0000000000000002" + "ca9f" + "0000000000000002"
        + "01" + "3333333333333333333333333333333333333333333333333333333333333333" + "0000000000000003" + "caa0" + "0000000000000005"
        + "0002" + "04" + "c0a86401" + "06" + "fd000000000000000000000000000001" // endpoints
        + "0002" + "04" + "0af40100" + "18" + "06" + "fd000001000000000000000000000000" + "40" // allowed IPs
        + "08de48c8b4f80000" // 2026-01-01T00:00:00Z
        + "08de48ca1a98bc00"; // ten minutes later

    [Fact]
    public void Encode_Golden_IsTheLayout() => Assert.Equal(GoldenHex, Convert.ToHexStringLower(AnnouncementEncoding.Encode(Golden)));

    // What a silo knows that knows no extensions is as it was; with extensions it is all of that, under another context, and them.
    [Fact]
    public void Encode_GoldenWithExtensions_IsTheLayout() => Assert.Equal(
        GoldenHex.Replace("2f3200" + "0006", "2f3300" + "0006", StringComparison.Ordinal) + "0005" + "000900012a",
        Convert.ToHexStringLower(AnnouncementEncoding.Encode(Golden with { Extensions = [0, 9, 0, 1, 42] })));

    [Fact]
    public void Encode_NotFrozen_EndsWithZero() => Assert.EndsWith(
        "08de48c8b4f80000" + "0000000000000000",
        Convert.ToHexStringLower(AnnouncementEncoding.Encode(Golden with { FrozenUntil = null })), StringComparison.Ordinal);

    [Fact]
    public void Encode_AnotherSignature_IsTheSame() =>
        Assert.Equal(AnnouncementEncoding.Encode(Golden), AnnouncementEncoding.Encode(Golden with { Signature = [9] }));

    [Fact]
    public void Encode_TwoAnnouncements_ShareBytesOnlyIfEqual() =>
        Gen.Select(MeshGen.Announcement, MeshGen.Announcement).Sample((left, right) =>
        Assert.Equal(left == right, AnnouncementEncoding.Encode(left).AsSpan().SequenceEqual(AnnouncementEncoding.Encode(right))));

    // Two random announcements differ in everything; these differ in one member, and often in how a list is cut only.
    [Fact]
    public void Encode_OneMemberTakenFromAnother_SharesBytesOnlyIfEqual() =>
        Gen.Select(MeshGen.Announcement, MeshGen.Announcement, Gen.Int[0, AnnouncementMembers.Count - 1])
            .Sample((announcement, other, member) =>
        {
            var changed = AnnouncementMembers.Take(member, announcement, other);
            Assert.Equal(announcement == changed, AnnouncementEncoding.Encode(announcement)
                .AsSpan().SequenceEqual(AnnouncementEncoding.Encode(changed)));
        });

    // UTF-8 has no bytes for half a surrogate pair, and an encoder that is lenient writes the same replacement for each of them.
    [Fact]
    public void Encode_NameThatIsNoText_IsRefused() =>
        Assert.ThrowsAny<ArgumentException>(() => AnnouncementEncoding.Encode(Golden with { NodeName = "node-\ud800" }));

    // A zone means something on its own machine only.
    [Fact]
    public void Encode_EndpointWithZone_IsRefused() =>
        Assert.ThrowsAny<ArgumentException>(() => AnnouncementEncoding.Encode(Golden with { Endpoints = [IPAddress.Parse("fe80::1%1")] }));
}
