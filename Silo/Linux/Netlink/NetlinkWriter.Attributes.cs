// Attributes: struct nlattr of linux/netlink.h (length, type, payload, padding).
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Orleans.WireGuard.Linux.Netlink;

internal ref partial struct NetlinkWriter
{
    /// <summary>Size of struct nlattr in bytes: 4.</summary>
    public const int AttributeHeaderSize = 4;

    /// <summary>The largest nla_len: it has 16 bits.</summary>
    public const int MaxAttributeLength = ushort.MaxValue;

    /// <summary>Bytes that an attribute takes with its header and padding.</summary>
    /// <param name="payload">Bytes of its payload.</param>
    public static int AttributeSize(int payload) => AttributeHeaderSize + Align(payload);

    /// <summary>Writes an attribute of one byte.</summary>
    public void WriteByte(ushort type, byte value) => Reserve(type, sizeof(byte))[0] = value;

    /// <summary>Writes an attribute of two bytes.</summary>
    public void WriteUInt16(ushort type, ushort value) => MemoryMarshal.Write(Reserve(type, sizeof(ushort)), value);

    /// <summary>Writes an attribute of four bytes.</summary>
    public void WriteUInt32(ushort type, uint value) => MemoryMarshal.Write(Reserve(type, sizeof(uint)), value);

    /// <summary>Writes an attribute of four bytes in network byte order, as netfilter wants all of its numbers.</summary>
    public void WriteUInt32BigEndian(ushort type, uint value) => BinaryPrimitives.WriteUInt32BigEndian(Reserve(type, sizeof(uint)), value);

    /// <summary>Writes an attribute of eight bytes in network byte order.</summary>
    public void WriteUInt64BigEndian(ushort type, ulong value) =>
        BinaryPrimitives.WriteUInt64BigEndian(Reserve(type, sizeof(ulong)), value);

    /// <summary>Writes an attribute of raw bytes.</summary>
    public void WriteBytes(ushort type, scoped ReadOnlySpan<byte> value) => value.CopyTo(Reserve(type, value.Length));

    /// <summary>Writes an IPv4 or IPv6 address in network byte order.</summary>
    public void WriteAddress(ushort type, IPAddress value) =>
        value.TryWriteBytes(Reserve(type, value.AddressFamily == AddressFamily.InterNetworkV6 ? 16 : 4), out _);

    /// <summary>Writes a string with its terminating zero (NLA_NUL_STRING).</summary>
    public void WriteString(ushort type, string value) =>
        Encoding.UTF8.GetBytes(value, Reserve(type, Encoding.UTF8.GetByteCount(value) + 1));

    /// <summary>Writes an attribute whose payload the caller fills in: a secret is written straight into the message.</summary>
    /// <returns>The payload, zeroed.</returns>
    public Span<byte> Reserve(ushort type, int length)
    {
        if (length > MaxAttributeLength - AttributeHeaderSize)
        {
            throw new NetlinkFormatException(
                $"Attribute {type} has {length} bytes; an attribute holds {MaxAttributeLength - AttributeHeaderSize}.");
        }

        // Padding included in one piece, so that a message that is full is left as it was.
        var attribute = Append(AttributeSize(length));
        MemoryMarshal.Write(attribute, (ushort)(AttributeHeaderSize + length));
        MemoryMarshal.Write(attribute[sizeof(ushort)..], type);
        return attribute.Slice(AttributeHeaderSize, length);
    }

    /// <summary>Starts an attribute that holds attributes.</summary>
    /// <returns>What <see cref="EndNested"/> takes.</returns>
    public int BeginNested(ushort type)
    {
        var start = _position;
        Reserve((ushort)(type | NetlinkConstants.NLA_F_NESTED), 0);
        return start;
    }

    /// <summary>Ends the attribute that <see cref="BeginNested"/> started at <paramref name="start"/>.</summary>
    public readonly void EndNested(int start)
    {
        var length = _position - start;
        if (length > MaxAttributeLength)
        {
            throw new NetlinkFormatException($"A nested attribute has {length} bytes; it holds {MaxAttributeLength}.");
        }

        MemoryMarshal.Write(_buffer[start..], (ushort)length);
    }
}
