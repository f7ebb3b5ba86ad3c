// Takes datagrams of the kernel apart into messages: struct nlmsghdr of linux/netlink.h.
using System.Runtime.InteropServices;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>
/// Reads the messages of a datagram, or the attributes of a message. Trusts no length: it never reads behind the memory it was given,
/// always ends, and reports what is wrong as a <see cref="NetlinkFormatException"/>.
/// </summary>
internal ref partial struct NetlinkReader
{
    private ReadOnlySpan<byte> _rest;

    /// <summary>Reads <paramref name="bytes"/> from the start.</summary>
    public NetlinkReader(ReadOnlySpan<byte> bytes) => _rest = bytes;

    /// <summary>Bytes that are not read yet.</summary>
    public readonly int Remaining => _rest.Length;

    /// <summary>Reads the next message, or returns <see langword="false"/> at the end.</summary>
    /// <exception cref="NetlinkFormatException">What follows is not a whole message.</exception>
    public bool TryReadMessage(out NetlinkMessage message)
    {
        message = default;
        if (_rest.IsEmpty)
        {
            return false;
        }

        if (_rest.Length < NetlinkWriter.HeaderSize)
        {
            throw new NetlinkFormatException($"A message header needs {NetlinkWriter.HeaderSize} bytes, {_rest.Length} came.");
        }

        var length = MemoryMarshal.Read<uint>(_rest);
        if (length < NetlinkWriter.HeaderSize || length > _rest.Length)
        {
            throw new NetlinkFormatException(
                $"A message says it has {length} bytes; it must have {NetlinkWriter.HeaderSize} to {_rest.Length}.");
        }

        message = new NetlinkMessage(_rest[..(int)length]);
        Skip((int)length);
        return true;
    }

    /// <summary>Reads one byte of a fixed header.</summary>
    public byte ReadByte() => Take(sizeof(byte))[0];

    /// <summary>Reads four bytes of a fixed header.</summary>
    public uint ReadUInt32() => MemoryMarshal.Read<uint>(Take(sizeof(uint)));

    /// <summary>Passes over <paramref name="length"/> bytes.</summary>
    public void ReadPast(int length) => Take(length);

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _rest.Length)
        {
            throw new NetlinkFormatException($"{length} bytes were expected, {_rest.Length} are left.");
        }

        var taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }

    // The padding of the last item may be missing.
    private void Skip(int length) => _rest = _rest[Math.Min(NetlinkWriter.Align(length), _rest.Length)..];
}
