using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>One attribute of a message. Valid as long as the datagram it lies in.</summary>
internal readonly ref struct NetlinkAttribute
{
    private const int IPv4Size = 4;
    private const int IPv6Size = 16;

    /// <summary>Makes one of a type, whose flag bits are gone, and of what follows its header.</summary>
    public NetlinkAttribute(ushort type, ReadOnlySpan<byte> value)
    {
        Type = type;
        Value = value;
    }

    /// <summary>nla_type without the flag bits.</summary>
    public ushort Type { get; }

    /// <summary>The payload.</summary>
    public ReadOnlySpan<byte> Value { get; }

    /// <summary>The payload as one byte.</summary>
    public byte AsByte() => Exactly(sizeof(byte))[0];

    /// <summary>The payload as two bytes.</summary>
    public ushort AsUInt16() => MemoryMarshal.Read<ushort>(Exactly(sizeof(ushort)));

    /// <summary>The payload as four bytes.</summary>
    public uint AsUInt32() => MemoryMarshal.Read<uint>(Exactly(sizeof(uint)));

    /// <summary>The payload as eight bytes.</summary>
    public ulong AsUInt64() => MemoryMarshal.Read<ulong>(Exactly(sizeof(ulong)));

    /// <summary>The payload as four bytes in network byte order, as netfilter sends all of its numbers.</summary>
    public uint AsUInt32BigEndian() => BinaryPrimitives.ReadUInt32BigEndian(Exactly(sizeof(uint)));

    /// <summary>The payload as eight bytes in network byte order.</summary>
    public ulong AsUInt64BigEndian() => BinaryPrimitives.ReadUInt64BigEndian(Exactly(sizeof(ulong)));

    /// <summary>The payload as a string, up to its terminating zero if it has one.</summary>
    public string AsString()
    {
        var end = Value.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
    }

    /// <summary>The payload as an IPv4 or IPv6 address, by its length.</summary>
    public IPAddress AsIPAddress() => Value.Length is IPv4Size or IPv6Size
        ? new IPAddress(Value)
        : throw new NetlinkFormatException($"Attribute {Type} has {Value.Length} bytes; an address has {IPv4Size} or {IPv6Size}.");

    /// <summary>The payload as attributes.</summary>
    public NetlinkReader AsNested() => new(Value);

    /// <summary>The payload, checked to have <paramref name="length"/> bytes.</summary>
    /// <exception cref="NetlinkFormatException">It has another length.</exception>
    public ReadOnlySpan<byte> Exactly(int length) => Value.Length == length
        ? Value
        : throw new NetlinkFormatException($"Attribute {Type} has {Value.Length} bytes instead of {length}.");
}
