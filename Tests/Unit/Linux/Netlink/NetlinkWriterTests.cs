using System.Net;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Linux.Netlink;

public sealed class NetlinkWriterTests
{
    [Fact]
    public void Complete_WithEveryKindOfAttribute_WritesLiteralBytes()
    {
        var writer = new NetlinkWriter(new byte[256], type: 0x1234, flags: 0x0605);
        writer.WriteByte(0x0a);
        writer.WriteByte(0x18);
        writer.WriteUInt16(0x0102);
        writer.WriteUInt32(0x03040506);
        writer.WriteByte(1, 0xff);
        writer.WriteUInt16(2, 0x1122);
        writer.WriteUInt32(3, 0x11223344);
        writer.WriteString(4, "owg0");
        writer.WriteAddress(5, IPAddress.Parse("10.244.1.0"));
        var outer = writer.BeginNested(6);
        var inner = writer.BeginNested(0);
        writer.WriteBytes(7, [1, 2, 3]);
        writer.EndNested(inner);
        writer.EndNested(outer);
        writer.WriteAddress(8, IPAddress.Parse("fd00::1"));

        Assert.Equal(
            Hex.Text("""
                68000000 3412 0506 00000000 00000000
                0a 18 0201 06050403
                0500 0100 ff000000
                0600 0200 22110000
                0800 0300 44332211
                0900 0400 6f776730 00000000
                0800 0500 0af40100
                1000 0680
                0c00 0080
                0700 0700 01020300
                1400 0800 fd000000 00000000 00000000 00000001
                """),
            Hex.Text(writer.Complete()));
    }

    [Fact]
    public void Reserve_InADirtyBuffer_ZeroesPayloadAndPadding()
    {
        var buffer = Enumerable.Repeat((byte)0xee, 64).ToArray();
        var writer = new NetlinkWriter(buffer, 1, 0);
        writer.Reserve(9, 5);

        Assert.Equal(Hex.Text("1c000000 0100 0000 00000000 00000000 0900 0900 0000000000 000000"), Hex.Text(writer.Complete()));
    }

    [Fact]
    public void Reserve_BeyondTheBuffer_ThrowsAndLeavesTheMessage()
    {
        var writer = new NetlinkWriter(new byte[24], 1, 0);
        writer.WriteUInt32(1, 7);

        string? message = null;
        try
        {
            writer.WriteByte(2, 1);
        }
        catch (NetlinkFormatException e)
        {
            message = e.Message;
        }

        Assert.Equal("The message does not fit: 24 bytes written, 8 more wanted, the buffer has 24.", message);
        Assert.Equal(24, writer.Complete().Length);
    }

    [Fact]
    public void EndNested_BeyondSixteenBits_Throws()
    {
        Assert.Throws<NetlinkFormatException>(() =>
        {
            var writer = new NetlinkWriter(new byte[80_000], 1, 0);
            var nested = writer.BeginNested(1);
            writer.Reserve(2, 40_000);
            writer.Reserve(2, 30_000);
            writer.EndNested(nested);
        });
        Assert.Throws<NetlinkFormatException>(() => new NetlinkWriter(new byte[80_000], 1, 0).Reserve(1, 65_532));
    }
}
