// Writes one netlink message: struct nlmsghdr, a fixed header, attributes. linux/netlink.h.
using System.Runtime.InteropServices;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>Writes one netlink message into memory of the caller. Numbers are in host byte order unless a method says otherwise.</summary>
/// <remarks>Everything is aligned to four bytes (NLMSG_ALIGNTO, NLA_ALIGNTO), padded with zeros.</remarks>
internal ref partial struct NetlinkWriter
{
    /// <summary>Size of struct nlmsghdr in bytes: 16.</summary>
    public const int HeaderSize = 16;

    /// <summary>Where nlmsg_seq is in the header.</summary>
    public const int SequenceOffset = 8;

    private const int Alignment = 4;

    private readonly Span<byte> _buffer;
    private int _position;

    /// <summary>Starts a message.</summary>
    /// <param name="buffer">Where to; the message never grows beyond it.</param>
    /// <param name="type">nlmsg_type.</param>
    /// <param name="flags">nlmsg_flags.</param>
    public NetlinkWriter(Span<byte> buffer, ushort type, ushort flags)
    {
        _buffer = buffer;
        _position = 0;
        WriteUInt32(0); // nlmsg_len, known at the end.
        WriteUInt16(type);
        WriteUInt16(flags);
        WriteUInt32(0); // nlmsg_seq, given when it is sent.
        WriteUInt32(0); // nlmsg_pid: the kernel knows our port.
    }

    /// <summary>Bytes written so far.</summary>
    public readonly int Length => _position;

    /// <summary>Bytes that still fit.</summary>
    public readonly int Remaining => _buffer.Length - _position;

    /// <summary>Rounds up to the netlink alignment of four bytes.</summary>
    public static int Align(int length) => (length + Alignment - 1) & ~(Alignment - 1);

    /// <summary>Writes a field of a fixed header.</summary>
    public void WriteByte(byte value) => Append(sizeof(byte))[0] = value;

    /// <inheritdoc cref="WriteByte(byte)"/>
    public void WriteUInt16(ushort value) => MemoryMarshal.Write(Append(sizeof(ushort)), value);

    /// <inheritdoc cref="WriteByte(byte)"/>
    public void WriteUInt32(uint value) => MemoryMarshal.Write(Append(sizeof(uint)), value);

    /// <summary>Enters the length into the header.</summary>
    /// <returns>The message.</returns>
    public readonly Span<byte> Complete()
    {
        MemoryMarshal.Write(_buffer, (uint)_position);
        return _buffer[.._position];
    }

    // The bytes are zeroed, because the buffer may be used again and the kernel refuses padding that is not.
    private Span<byte> Append(int length)
    {
        if (length > Remaining)
        {
            throw new NetlinkFormatException(
                $"The message does not fit: {_position} bytes written, {length} more wanted, the buffer has {_buffer.Length}.");
        }

        var span = _buffer.Slice(_position, length);
        span.Clear();
        _position += length;
        return span;
    }
}
