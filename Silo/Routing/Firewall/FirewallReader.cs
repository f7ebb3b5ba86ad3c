using Orleans.WireGuard.Silo.Devices.Netlink;
using static Orleans.WireGuard.Silo.Devices.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Silo.Routing.Firewall;

/// <summary>Reads what the kernel answers about our table.</summary>
internal static class FirewallReader
{
    private const int HeaderSize = 4; // struct nfgenmsg

    /// <summary>Reads an NFT_MSG_NEWOBJ, or returns <see langword="null"/> if it is not our counter.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static (ulong Packets, ulong Bytes)? TryReadCounter(in NetlinkMessage message)
    {
        var reader = Begin(message, NFT_MSG_NEWOBJ);
        var (table, name, type) = ("", "", 0u);
        (ulong Packets, ulong Bytes) count = default;
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case NFTA_OBJ_TABLE:
                    table = attribute.AsString();
                    break;
                case NFTA_OBJ_NAME:
                    name = attribute.AsString();
                    break;
                case NFTA_OBJ_TYPE:
                    type = attribute.AsUInt32BigEndian();
                    break;
                case NFTA_OBJ_DATA:
                    count = ReadCount(attribute.AsNested());
                    break;
            }
        }

        return table == FirewallTable.Name && name == FirewallTable.Counter && type == NFT_OBJECT_COUNTER ? count : null;
    }

    /// <summary>Reads the elements of an NFT_MSG_NEWSETELEM.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static void ReadSources(in NetlinkMessage message, List<(byte[] Address, bool IsEnd)> ends)
    {
        var reader = Begin(message, NFT_MSG_NEWSETELEM);
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type != NFTA_SET_ELEM_LIST_ELEMENTS)
            {
                continue;
            }

            var elements = attribute.AsNested();
            while (elements.TryReadAttribute(out var element))
            {
                ends.Add(ReadElement(element.AsNested()));
            }
        }
    }

    /// <summary>Reads an NFT_MSG_NEWRULE.</summary>
    /// <returns>Whether it is one of our rules, by its chain and its comment.</returns>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static bool ReadIsOurRule(in NetlinkMessage message)
    {
        var reader = Begin(message, NFT_MSG_NEWRULE);
        var (isOurChain, isOurComment) = (false, false);
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case NFTA_RULE_CHAIN:
                    isOurChain = attribute.AsString() == FirewallTable.Chain;
                    break;
                case NFTA_RULE_USERDATA:
                    isOurComment = attribute.Value.SequenceEqual(FirewallMessages.RuleUserData);
                    break;
            }
        }

        return isOurChain && isOurComment;
    }

    private static (ulong Packets, ulong Bytes) ReadCount(NetlinkReader reader)
    {
        var (packets, bytes) = (0ul, 0ul);
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case NFTA_COUNTER_PACKETS:
                    packets = attribute.AsUInt64BigEndian();
                    break;
                case NFTA_COUNTER_BYTES:
                    bytes = attribute.AsUInt64BigEndian();
                    break;
            }
        }

        return (packets, bytes);
    }

    private static (byte[] Address, bool IsEnd) ReadElement(NetlinkReader reader)
    {
        byte[] address = [];
        var flags = 0u;
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case NFTA_SET_ELEM_FLAGS:
                    flags = attribute.AsUInt32BigEndian();
                    break;
                case NFTA_SET_ELEM_KEY:
                    var key = attribute.AsNested();
                    address = key.TryReadAttribute(out var value) && value.Type == NFTA_DATA_VALUE ? value.AsIPAddress().GetAddressBytes() : [];
                    break;
            }
        }

        return address.Length > 0
            ? (address, (flags & NFT_SET_ELEM_INTERVAL_END) != 0)
            : throw new NetlinkFormatException("A set element without a key came.");
    }

    private static NetlinkReader Begin(in NetlinkMessage message, byte type)
    {
        if (message.Type != FirewallMessages.MessageType(type))
        {
            throw new NetlinkFormatException($"A message of type {FirewallMessages.MessageType(type)} was expected, one of type {message.Type} came.");
        }

        var reader = new NetlinkReader(message.Payload);
        reader.ReadPast(HeaderSize);
        return reader;
    }
}
