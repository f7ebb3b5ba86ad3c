using System.Net;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Linux.Netlink;

public sealed class NetlinkReaderTests
{
    [Fact]
    public void TryReadMessage_TwoMessages_ReadsBoth()
    {
        var reader = new NetlinkReader(
            Hex.Bytes("15000000 1400 0200 07000000 6c000000 aabbccdd ee000000 10000000 0300 1000 07000000 6c000000"));

        Assert.True(reader.TryReadMessage(out var first));
        Assert.Equal((20, 2, 7u), (first.Type, first.Flags, first.Sequence));
        Assert.Equal("aabbccddee", Hex.Text(first.Payload));
        Assert.True(reader.TryReadMessage(out var second));
        Assert.Equal((3, 0x10, 7u), (second.Type, second.Flags, second.Sequence));
        Assert.False(reader.TryReadMessage(out _));
    }

    [Fact]
    public void TryReadAttribute_EveryKind_ReadsWhatTheWriterWrote()
    {
        var reader = new NetlinkReader(Hex.Bytes("""
            0500 0100 ff000000
            0600 0200 22110000
            0800 0300 44332211
            0c00 0400 8877665544332211
            0900 0540 6f776730 00000000
            0800 0600 0af40100
            0c00 0780 0800 0100 01000000
            1400 0800 fd000000 00000000 00000000 00000001
            """));
        List<object> values = [];
        while (reader.TryReadAttribute(out var attribute))
        {
            values.Add(attribute.Type switch
            {
                1 => attribute.AsByte(),
                2 => attribute.AsUInt16(),
                3 => attribute.AsUInt32(),
                4 => attribute.AsUInt64(),
                5 => attribute.AsString(),
                7 => attribute.AsNested().Remaining,
                _ => attribute.AsIPAddress(),
            });
        }

        Assert.Equal(
            [
                (byte)0xff, (ushort)0x1122, 0x11223344u, 0x1122334455667788ul, "owg0",
                IPAddress.Parse("10.244.1.0"), 8, IPAddress.Parse("fd00::1"),
            ],
            values);
    }

    [Theory]
    [InlineData("0f000000 1400 0000 00000000 00000000", "A message says it has 15 bytes; it must have 16 to 16.")]
    [InlineData("11000000 1400 0000 00000000 00000000", "A message says it has 17 bytes; it must have 16 to 16.")]
    [InlineData("ffffffff 1400 0000 00000000 00000000", "A message says it has 4294967295 bytes; it must have 16 to 16.")]
    [InlineData("10000000 1400", "A message header needs 16 bytes, 6 came.")]
    public void TryReadMessage_WrongLength_Throws(string datagram, string expected)
    {
        var e = Assert.Throws<NetlinkFormatException>(() => new NetlinkReader(Hex.Bytes(datagram)).TryReadMessage(out _));
        Assert.Equal(expected, e.Message);
    }

    [Theory]
    [InlineData("0000 0100 00000000", "Attribute 1 says it has 0 bytes; it must have 4 to 8.")]
    [InlineData("0300 0100 00000000", "Attribute 1 says it has 3 bytes; it must have 4 to 8.")]
    [InlineData("0900 0180 00000000", "Attribute 1 says it has 9 bytes; it must have 4 to 8.")]
    [InlineData("0400 01", "An attribute header needs 4 bytes, 3 are left.")]
    public void TryReadAttribute_WrongLength_Throws(string bytes, string expected)
    {
        var e = Assert.Throws<NetlinkFormatException>(() => new NetlinkReader(Hex.Bytes(bytes)).TryReadAttribute(out _));
        Assert.Equal(expected, e.Message);
    }

    [Fact]
    public void AsUInt32_OfTwoBytes_Throws()
    {
        var e = Assert.Throws<NetlinkFormatException>(() => new NetlinkAttribute(7, [1, 2]).AsUInt32());
        Assert.Equal("Attribute 7 has 2 bytes instead of 4.", e.Message);
    }

    // Recorded from Linux 6.1.
    [Theory]
    [InlineData(
        "48000000 0200 0003 01000000 6c000000 eaffffff 34000000 1300 0500 01000000 00000000 2100 0100 6d7475206c657373207468616e20646576696365206d696e696d756d00 000000",
        22, "Invalid argument: mtu less than device minimum")]
    [InlineData(
        "38000000 0300 2202 01000000 6c000000 feffffff 2300 0100 697076343a20464942207461626c6520646f6573206e6f7420657869737400 00",
        2, "No such file or directory: ipv4: FIB table does not exist")]
    [InlineData("24000000 0200 0001 01000000 6c000000 edffffff 24000000 2000 0500 01000000 00000000", 19, "No such device")]
    [InlineData("14000000 0300 0200 01000000 6c000000 00000000", 0, null)]
    public void NetlinkErrorRead_RecordedVerdict_YieldsErrnoAndTheKernelsWords(string recorded, int errno, string? detail)
    {
        new NetlinkReader(Hex.Bytes(recorded)).TryReadMessage(out var message);
        Assert.Equal(new NetlinkError(errno, detail!), NetlinkError.Read(message));
    }

    // By hand from struct nlmsgerr: not capped, so the 20-byte request follows whole; offset and missing attribute.
    [Fact]
    public void NetlinkErrorRead_WithTheWholeRequest_FindsTheAttributesBehindIt()
    {
        new NetlinkReader(Hex.Bytes("""
            38000000 0200 0002 01000000 00000000 eaffffff
            14000000 1300 0500 01000000 00000000 aabbccdd
            0800 0200 10000000 0800 0500 03000000
            """)).TryReadMessage(out var message);
        Assert.Equal(
            new NetlinkError(22, "Invalid argument, attribute 3 is missing, at byte 16 of the request"), NetlinkError.Read(message));
    }
}
