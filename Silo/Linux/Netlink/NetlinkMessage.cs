using System.Runtime.InteropServices;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>One message of the kernel. Valid as long as the datagram it lies in.</summary>
internal readonly ref struct NetlinkMessage
{
    /// <summary>Reads the header.</summary>
    /// <param name="bytes">The whole message, at least <see cref="NetlinkWriter.HeaderSize"/> bytes.</param>
    public NetlinkMessage(ReadOnlySpan<byte> bytes)
    {
        Type = MemoryMarshal.Read<ushort>(bytes[4..]);
        Flags = MemoryMarshal.Read<ushort>(bytes[6..]);
        Sequence = MemoryMarshal.Read<uint>(bytes[NetlinkWriter.SequenceOffset..]);
        Payload = bytes[NetlinkWriter.HeaderSize..];
    }

    /// <summary>nlmsg_type.</summary>
    public ushort Type { get; }

    /// <summary>nlmsg_flags.</summary>
    public ushort Flags { get; }

    /// <summary>nlmsg_seq: the one of the request it answers.</summary>
    public uint Sequence { get; }

    /// <summary>What follows the header.</summary>
    public ReadOnlySpan<byte> Payload { get; }

    /// <summary>Whether all bits of <paramref name="flags"/> are set.</summary>
    public bool Has(ushort flags) => (Flags & flags) == flags;
}
