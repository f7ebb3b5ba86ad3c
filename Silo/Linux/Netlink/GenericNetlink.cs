// Generic netlink: its header, and the controller that knows the number of each family. linux/genetlink.h.
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>
/// Messages to the generic netlink controller. Family numbers are given out when a module is loaded, so they are looked up.
/// </summary>
internal static class GenericNetlink
{
    /// <summary>Size of struct genlmsghdr in bytes: 4.</summary>
    public const int HeaderSize = 4;

    private const byte ControllerVersion = 2;

    /// <summary>Starts a generic netlink message.</summary>
    public static NetlinkWriter Begin(Span<byte> buffer, ushort family, ushort flags, byte command, byte version)
    {
        var writer = new NetlinkWriter(buffer, family, flags);
        writer.WriteByte(command);
        writer.WriteByte(version);
        writer.WriteUInt16(0); // reserved
        return writer;
    }

    /// <summary>Writes the question for the number of a family.</summary>
    public static Span<byte> WriteGetFamily(Span<byte> buffer, string name)
    {
        var writer = Begin(buffer, GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_ACK, CTRL_CMD_GETFAMILY, ControllerVersion);
        writer.WriteString(CTRL_ATTR_FAMILY_NAME, name);
        return writer.Complete();
    }

    /// <summary>Reads the answer to <see cref="WriteGetFamily"/>.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static ushort ReadFamily(in NetlinkMessage message)
    {
        var reader = new NetlinkReader(message.Payload);
        var command = reader.ReadByte();
        reader.ReadPast(HeaderSize - sizeof(byte));
        if (message.Type != GENL_ID_CTRL || command != CTRL_CMD_NEWFAMILY)
        {
            throw new NetlinkFormatException($"CTRL_CMD_NEWFAMILY was expected, command {command} of family {message.Type} came.");
        }

        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == CTRL_ATTR_FAMILY_ID)
            {
                return attribute.AsUInt16();
            }
        }

        throw new NetlinkFormatException("A family without CTRL_ATTR_FAMILY_ID came.");
    }

    /// <summary>Asks for the number of a family. The kernel loads its module first if it can.</summary>
    /// <exception cref="LinuxException">There is none (ENOENT).</exception>
    public static ushort GetFamily(NetlinkConnection connection, string name)
    {
        ushort family = 0;
        connection.Execute(WriteGetFamily(connection.Request, name), (in NetlinkMessage message) => family = ReadFamily(message));
        return family != 0 ? family : throw new NetlinkFormatException($"The number of family '{name}' did not come.");
    }
}
