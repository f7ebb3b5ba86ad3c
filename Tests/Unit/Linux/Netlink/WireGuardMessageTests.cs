using System.Net;
using CsCheck;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Linux.Netlink;

public sealed class WireGuardMessageTests
{
    private const ushort Family = 0x20;

    private static readonly byte[] PrivateKey = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    [Fact]
    public void WriteGetFamily_OfWireGuard_WritesLiteralBytes() => Assert.Equal(
        Hex.Text("24000000 1000 0500 00000000 00000000 03020000 0e00 0200 776972656775617264000000"),
        Hex.Text(GenericNetlink.WriteGetFamily(new byte[64], "wireguard")));

    [Fact]
    public void ReadFamily_Recorded_YieldsItsNumber()
    {
        new NetlinkReader(Hex.Bytes(Recorded.Family)).TryReadMessage(out var message);
        Assert.Equal(Family, GenericNetlink.ReadFamily(message));
    }

    [Fact]
    public void WriteGetDevice_WritesLiteralBytes() => Assert.Equal(
        Hex.Text("1c000000 2000 0103 00000000 00000000 00010000 0800 0200 77673000"),
        Hex.Text(WireGuardMessageWriter.WriteGetDevice(new byte[64], Family, "wg0")));

    // The kernel of the test bed accepted exactly these bytes.
    [Fact]
    public void TryWriteNext_EveryMember_WritesLiteralBytes()
    {
        using var keyPair = KeyPair.Import(PrivateKey);
        var patch = new DevicePatch(
            keyPair,
            51871,
            [
                new(
                    Key(0xa1),
                    PeerChange.Add,
                    IPEndPoint.Parse("192.0.2.1:51871"),
                    TimeSpan.FromSeconds(25),
                    [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:244:1::/64")]),
                new(
                    Key(0xb2), PeerChange.Update, IPEndPoint.Parse("[2001:db8::2]:51872"), null, [IPPrefix.Parse("10.244.2.0/24")], true),
                new(Key(0xc3), PeerChange.Remove),
            ]);

        Assert.Equal(
            [
                Hex.Text("""
                    78010000 2000 0500 00000000 00000000 01010000
                    0800 0200 77673000
                    2400 0300 0002030405060708 090a0b0c0d0e0f10 1112131415161718 191a1b1c1d1e1f60
                    0600 0600 9fca0000
                    3001 0880
                      8c00 0080
                        2400 0100 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1
                        1400 0400 0200 ca9f c0000201 0000000000000000
                        0600 0500 19000000
                        4800 0980
                          1c00 0080 0600 0100 02000000 0800 0200 0af40100 0500 0300 18000000
                          2800 0080 0600 0100 0a000000 1400 0200 fd00024400010000 0000000000000000 0500 0300 40000000
                      7000 0080
                        2400 0100 b2b2b2b2b2b2b2b2 b2b2b2b2b2b2b2b2 b2b2b2b2b2b2b2b2 b2b2b2b2b2b2b2b2
                        0800 0300 06000000
                        2000 0400 0a00 caa0 00000000 20010db800000000 0000000000000002 00000000
                        2000 0980
                          1c00 0080 0600 0100 02000000 0800 0200 0af40200 0500 0300 18000000
                      3000 0080
                        2400 0100 c3c3c3c3c3c3c3c3 c3c3c3c3c3c3c3c3 c3c3c3c3c3c3c3c3 c3c3c3c3c3c3c3c3
                        0800 0300 01000000
                    """),
            ],
            Write(patch, NetlinkConnection.MaxRequestSize).Select(message => Hex.Text(message)));
    }

    [Fact]
    public void TryWriteNext_FirewallMark_IsWritten() => Assert.Equal(
        Hex.Text("24000000 2000 0500 00000000 00000000 01010000 0800 0200 77673000 0800 0700 00000000"),
        Hex.Text(Assert.Single(Write(DevicePatch.Empty with { FirewallMark = 0 }, 4096))));

    [Fact]
    public void TryWriteNext_ClearKey_WritesZerosThatAreNotClamped() => Assert.Equal(
        Hex.Text("""
            40000000 2000 0500 00000000 00000000 01010000 0800 0200 77673000
            2400 0300 0000000000000000 0000000000000000 0000000000000000 0000000000000000
            """),
        Hex.Text(Assert.Single(Write(DevicePatch.Empty with { ClearKey = true }, 4096))));

    [Fact]
    public void TryWriteNext_EmptyListThatReplaces_ClearsTheList() => Assert.Equal(
        Hex.Text("""
            50000000 2000 0500 00000000 00000000 01010000 0800 0200 77673000
            3400 0880 3000 0080
            2400 0100 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1
            0800 0300 06000000
            """),
        Hex.Text(Assert.Single(Write(
            new DevicePatch(null, null, [new(Key(0xa1), PeerChange.Update, AllowedIPs: [], ReplaceAllowedIPs: true)]), 4096))));

    [Fact]
    public void TryWriteNext_PeerThatDoesNotFit_GoesOnWithUpdateOnlyAndWithoutReplace()
    {
        var patch = new DevicePatch(
            null,
            null,
            [
                new(
                    Key(0xa1),
                    PeerChange.Add,
                    IPEndPoint.Parse("192.0.2.1:51871"),
                    TimeSpan.FromSeconds(25),
                    [.. Enumerable.Range(0, 3).Select(i => IPPrefix.Parse($"10.244.{i}.0/24"))],
                    ReplaceAllowedIPs: true),
            ]);

        // Room for the peer with one prefix, then for a bare continuation with two.
        Assert.Equal(
            [
                Hex.Text("""
                    8c000000 2000 0500 00000000 00000000 01010000 0800 0200 77673000
                    7000 0880 6c00 0080
                      2400 0100 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1
                      0800 0300 02000000
                      1400 0400 0200 ca9f c0000201 0000000000000000
                      0600 0500 19000000
                      2000 0980 1c00 0080 0600 0100 02000000 0800 0200 0af40000 0500 0300 18000000
                    """),
                Hex.Text("""
                    8c000000 2000 0500 00000000 00000000 01010000 0800 0200 77673000
                    7000 0880 6c00 0080
                      2400 0100 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1
                      0800 0300 04000000
                      3c00 0980
                        1c00 0080 0600 0100 02000000 0800 0200 0af40100 0500 0300 18000000
                        1c00 0080 0600 0100 02000000 0800 0200 0af40200 0500 0300 18000000
                    """),
            ],
            Write(patch, 0x90).Select(message => Hex.Text(message)));
    }

    [Fact]
    public void TryWriteNext_BufferWithoutRoomForAPeer_Throws() => Assert.Throws<NetlinkFormatException>(
        () => Write(new DevicePatch(null, null, [new(Key(1), PeerChange.Add)]), 64));

    [Theory]
    [InlineData(-1_000)]
    [InlineData(1_500)]
    [InlineData(65_536_000)]
    public void TryWriteNext_KeepaliveOutOfRange_Throws(int milliseconds) => Assert.Throws<ArgumentOutOfRangeException>(() => Write(
        new DevicePatch(null, null, [new(Key(1), PeerChange.Add, PersistentKeepaliveInterval: TimeSpan.FromMilliseconds(milliseconds))]),
        512));

    [Fact]
    public void TryWriteNext_Reset_IsARemovalAndAnAddition() => Assert.Equal(
        Hex.Text("""
            94000000 2000 0500 00000000 00000000 01010000 0800 0200 77673000
            7800 0880
              3000 0080
                2400 0100 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1
                0800 0300 01000000
              4400 0080
                2400 0100 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1
                1400 0400 0200 ca9f c0000201 0000000000000000
                0600 0500 19000000
            """),
        Hex.Text(Assert.Single(Write(
            new DevicePatch(null, null, [new(Key(0xa1), PeerChange.Reset, IPEndPoint.Parse("192.0.2.1:51871"), TimeSpan.FromSeconds(25))]),
            4096))));

    // A removal whose addition comes in a message that fails would leave no peer.
    [Fact]
    public void TryWriteNext_ResetThatDoesNotFit_BeginsInTheNextMessageWhole()
    {
        var patch = new DevicePatch(null, null, [new(Key(0xb2), PeerChange.Add), new(Key(0xa1), PeerChange.Reset)]);
        var whole = Assert.Single(Write(patch, 4096));

        var messages = Write(patch, whole.Length - 1);

        Assert.Equal(2, messages.Count);
        Assert.Equal([Assert.Single(Write(patch with { Peers = [patch.Peers[1]] }, 4096))], messages[1..]);
    }

    // Laws: no message is larger than the buffer; played back in order, the messages say what the patch says, in its order.
    [Fact]
    public void TryWriteNext_AnyPatchAndBuffer_PlaysBackAsThePatch()
    {
        var peers = Gen.Select(
            Gen.Byte, Gen.Enum<PeerChange>(), Gen.Bool, Gen.Byte.Array[0, 60], (key, change, replace, prefixes) => new PeerPatch(
                Key(key),
                change,
                change == PeerChange.Remove ? null : new IPEndPoint(IPAddress.Parse($"192.0.2.{key}"), 1 + key),
                AllowedIPs: change == PeerChange.Remove
                    ? null
                    : [.. prefixes.Select((b, i) => IPPrefix.Parse(b % 2 == 0 ? $"10.{b}.{i}.0/24" : $"fd00:{b}:{i}::/64"))],
                ReplaceAllowedIPs: change != PeerChange.Remove && replace));
        Gen.Select(peers.Array[0, 30], Gen.Int[256, 2_000]).Sample((patches, size) =>
        {
            var messages = Write(new DevicePatch(null, 7, [.. patches]), size);
            Assert.All(messages, message => Assert.InRange(message.Length, 1, size));
            Assert.Equal(patches.SelectMany(Steps).Select(Describe), PlayBack(messages).Select(Describe));
        });

        static IEnumerable<PeerPatch> Steps(PeerPatch peer) => peer.Change == PeerChange.Reset
            ? [new PeerPatch(peer.PublicKey, PeerChange.Remove), peer with { Change = PeerChange.Add }]
            : [peer];
    }

    [Fact]
    public void Read_RecordedDump_YieldsTheDevice()
    {
        Assert.Equal(
            new Device(
                "wg0",
                PublicKey.Parse("B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw="),
                51871,
                0,
                [
                    new(
                        Key(0xa1),
                        IPEndPoint.Parse("192.0.2.1:51871"),
                        [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:244:1::/64")],
                        TimeSpan.FromSeconds(25),
                        null,
                        0,
                        0),
                    new(Key(0xb2), IPEndPoint.Parse("[2001:db8::2]:51872"), [], TimeSpan.Zero, null, 0, 0),
                ]),
            Read(Recorded.Device));
        Assert.Equal(new Device("wg0", null, 0, 0, []), Read(Recorded.EmptyDevice));
    }

    [Fact]
    public void ReadKeyPair_RecordedDump_YieldsTheDevicesKey()
    {
        new NetlinkReader(Hex.Bytes(Recorded.Device)).TryReadMessage(out var message);
        using var keyPair = WireGuardMessageReader.ReadKeyPair(message, Family);
        Assert.Equal("B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw=", keyPair?.PublicKey.ToString());

        new NetlinkReader(Hex.Bytes(Recorded.EmptyDevice)).TryReadMessage(out message);
        Assert.Null(WireGuardMessageReader.ReadKeyPair(message, Family));
    }

    // By hand from linux/wireguard.h: handshake at 1,700,000,000.123456789 s, 0x1122 bytes in, 0x3344 bytes out; the second message goes
    // on.
    [Fact]
    public void Read_PeerOverTwoMessages_IsOnePeer()
    {
        var device = Read("""
            8c000000 2000 0200 01000000 00000000 00010000
              7800 0880 7400 0080
                2400 0100 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1
                1400 0600 00f1536500000000 15cd5b0700000000
                0c00 0700 2211000000000000
                0c00 0800 4433000000000000
                2000 0980 1c00 0080 0500 0300 18000000 0600 0100 02000000 0800 0200 0af40200
            60000000 2000 0200 01000000 00000000 00010000
              4c00 0880 4800 0080
                2400 0100 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1 a1a1a1a1a1a1a1a1
                2000 0980 1c00 0080 0500 0300 18000000 0600 0100 02000000 0800 0200 0af40100
            """);

        Assert.Equal(
            [
                new DevicePeer(
                    Key(0xa1),
                    null,
                    [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("10.244.2.0/24")],
                    TimeSpan.Zero,
                    DateTimeOffset.FromUnixTimeSeconds(1_700_000_000).AddTicks(1_234_567),
                    0x1122,
                    0x3344),
            ],
            device.Peers);
    }

    [Theory]
    [InlineData("1400 0600 ffffffffffffffff 0000000000000000", "A handshake at -1 s and 0 ns since 1970 came.")]
    [InlineData("1400 0400 0100 ca9f c0000201 0000000000000000", "An endpoint of family 1 with 16 bytes came.")]
    [InlineData("1c00 0980 1800 0080 0500 0300 21000000 0800 0200 0af40100 0400 0a00", "An allowed IP that is none came")]
    [InlineData("1000 0980 0c00 0080 0500 0300 18000000", "An allowed IP without address or length came.")]
    [InlineData("0800 0500 00000000", "Attribute 5 has 4 bytes instead of 2.")]
    public void Read_PeerThatIsWrong_SaysWhat(string attribute, string expected)
    {
        var bytes = Hex.Bytes(attribute);
        var writer = GenericNetlink.Begin(new byte[256], Family, 0, 0, 1);
        var peers = writer.BeginNested(8);
        var peer = writer.BeginNested(0);
        writer.Reserve(1, 32);
        foreach (var b in bytes)
        {
            writer.WriteByte(b);
        }

        writer.EndNested(peer);
        writer.EndNested(peers);
        var message = Hex.Text(writer.Complete());

        Assert.StartsWith(expected, Assert.Throws<NetlinkFormatException>(() => Read(message)).Message, StringComparison.Ordinal);
    }

    private static PublicKey Key(byte value) => new([.. Enumerable.Repeat(value, PublicKey.Size)]);

    private static Device Read(string dump)
    {
        var device = new WireGuardMessageReader(Family);
        var reader = new NetlinkReader(Hex.Bytes(dump));
        while (reader.TryReadMessage(out var message))
        {
            if (message.Type == Family)
            {
                device.Read(message);
            }
        }

        return device.ToDevice("wg0");
    }

    private static List<byte[]> Write(DevicePatch patch, int size)
    {
        List<byte[]> messages = [];
        var writer = new WireGuardMessageWriter(Family, "wg0", patch);
        var buffer = new byte[size];
        while (writer.TryWriteNext(buffer, out var message))
        {
            messages.Add(message.ToArray());
        }

        return messages;
    }

    private static string Describe(PeerPatch peer) =>
        $"{peer.PublicKey.ToShortString()} {peer.Change} {peer.Endpoint?.Port} {peer.ReplaceAllowedIPs} {string.Join(' ', peer.AllowedIPs.GetValueOrDefault())}";

    // Joins the parts of a continued peer.
    private static List<PeerPatch> PlayBack(List<byte[]> messages)
    {
        List<PeerPatch> peers = [];
        foreach (var parts in messages.Select(message => NetlinkText.ReadPeers(message)))
        {
            foreach (var (index, part) in parts.Index())
            {
                if (index == 0 && part is { Change: PeerChange.Update, Endpoint: null } && peers.Count > 0)
                {
                    Assert.False(part.ReplaceAllowedIPs);
                    Assert.Equal(peers[^1].PublicKey, part.PublicKey);
                    peers[^1] = peers[^1] with { AllowedIPs = [.. peers[^1].AllowedIPs!.Value, .. part.AllowedIPs!.Value] };
                }
                else
                {
                    peers.Add(part);
                }
            }
        }

        return peers;
    }
}
