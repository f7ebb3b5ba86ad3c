using System.Text;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>Reads what the kernel answers about tables of nftables.</summary>
internal static class NftablesReader
{
    private const int HeaderSize = 4; // struct nfgenmsg

    /// <summary>Reads an NFT_MSG_NEWOBJ, or returns <see langword="null"/> if it is no counter.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static NftablesCounter? TryReadCounter(in NetlinkMessage message)
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

        return type == NFT_OBJECT_COUNTER ? new NftablesCounter(table, name, count.Packets, count.Bytes) : null;
    }

    /// <summary>Reads an NFT_MSG_NEWCHAIN.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static NftablesChain ReadChain(in NetlinkMessage message)
    {
        var reader = Begin(message, NFT_MSG_NEWCHAIN);
        var chain = new NftablesChain("", "", "");
        while (reader.TryReadAttribute(out var attribute))
        {
            chain = attribute.Type switch
            {
                NFTA_CHAIN_TABLE => chain with { Table = attribute.AsString() },
                NFTA_CHAIN_NAME => chain with { Name = attribute.AsString() },
                NFTA_CHAIN_HOOK => chain with { Device = ReadDevice(attribute.AsNested()) },
                _ => chain,
            };
        }

        return chain;
    }

    /// <summary>Reads the elements of an NFT_MSG_NEWSETELEM.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static void ReadPrefixes(in NetlinkMessage message, List<(byte[] Address, bool IsEnd)> ends)
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
    /// <returns>Its chain and its comment; that is empty if it has none.</returns>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static (string Chain, string Comment) ReadRule(in NetlinkMessage message)
    {
        var reader = Begin(message, NFT_MSG_NEWRULE);
        var (chain, comment) = ("", "");
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == NFTA_RULE_CHAIN)
            {
                chain = attribute.AsString();
            }

            // Type 0, a length, the text and its terminating zero (libnftnl's NFTNL_UDATA_RULE_COMMENT).
            else if (attribute.Type == NFTA_RULE_USERDATA && attribute.Value is [0, var length, ..]
                && attribute.Value.Length >= length + 2 && length > 0)
            {
                comment = Encoding.ASCII.GetString(attribute.Value[2..(length + 1)]);
            }
        }

        return (chain, comment);
    }

    /// <summary>Reads the comment of an NFT_MSG_NEWRULE; empty if it has none.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static string ReadComment(in NetlinkMessage message) => ReadRule(message).Comment;

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

    // A chain of one link has NFTA_HOOK_DEV, in newer kernels NFTA_HOOK_DEVS with a list of one.
    private static string ReadDevice(NetlinkReader reader)
    {
        var device = "";
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == NFTA_HOOK_DEV)
            {
                device = attribute.AsString();
            }
            else if (attribute.Type == NFTA_HOOK_DEVS && device.Length == 0)
            {
                var names = attribute.AsNested();
                device = names.TryReadAttribute(out var name) ? name.AsString() : "";
            }
        }

        return device;
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
                    address = key.TryReadAttribute(out var value) && value.Type == NFTA_DATA_VALUE
                        ? value.AsIPAddress().GetAddressBytes()
                        : [];
                    break;
            }
        }

        return address.Length > 0
            ? (address, (flags & NFT_SET_ELEM_INTERVAL_END) != 0)
            : throw new NetlinkFormatException("A set element without a key came.");
    }

    private static NetlinkReader Begin(in NetlinkMessage message, byte type)
    {
        if (message.Type != NftablesMessages.MessageType(type))
        {
            throw new NetlinkFormatException(
                $"A message of type {NftablesMessages.MessageType(type)} was expected, one of type {message.Type} came.");
        }

        var reader = new NetlinkReader(message.Payload);
        reader.ReadPast(HeaderSize);
        return reader;
    }
}
