// Attributes: struct nlattr of linux/netlink.h.
using System.Runtime.InteropServices;

namespace Orleans.WireGuard.Linux.Netlink;

internal ref partial struct NetlinkReader
{
    /// <summary>Reads the next attribute, or returns <see langword="false"/> at the end.</summary>
    /// <exception cref="NetlinkFormatException">What follows is not a whole attribute.</exception>
    public bool TryReadAttribute(out NetlinkAttribute attribute)
    {
        attribute = default;
        if (_rest.IsEmpty)
        {
            return false;
        }

        if (_rest.Length < NetlinkWriter.AttributeHeaderSize)
        {
            throw new NetlinkFormatException(
                $"An attribute header needs {NetlinkWriter.AttributeHeaderSize} bytes, {_rest.Length} are left.");
        }

        var length = MemoryMarshal.Read<ushort>(_rest);
        var type = (ushort)(MemoryMarshal.Read<ushort>(_rest[sizeof(ushort)..]) & NetlinkConstants.NLA_TYPE_MASK);
        if (length < NetlinkWriter.AttributeHeaderSize || length > _rest.Length)
        {
            throw new NetlinkFormatException(
                $"Attribute {type} says it has {length} bytes; it must have {NetlinkWriter.AttributeHeaderSize} to {_rest.Length}.");
        }

        attribute = new NetlinkAttribute(type, _rest[NetlinkWriter.AttributeHeaderSize..length]);
        Skip(length);
        return true;
    }
}
