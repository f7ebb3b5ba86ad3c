// Messages of nftables: linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h. There is no manual; nft(8) --debug=mnl shows its own.
using System.Buffers.Binary;
using System.Text;
using Orleans.WireGuard.Silo.Devices.Netlink;
using static Orleans.WireGuard.Silo.Devices.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Silo.Routing.Firewall;

/// <summary>Writes what makes, changes and asks for our table. Reading: <see cref="FirewallReader"/>.</summary>
internal static partial class FirewallMessages
{
    // TYPE_IPADDR and TYPE_IP6ADDR of nft's src/datatype.c. The kernel keeps them for nft, which shows the elements by them.
    private const uint IPv4KeyType = 7;
    private const uint IPv6KeyType = 8;
    private const uint IPv4SetId = 1;
    private const uint IPv6SetId = 2;
    private const int IPv4Size = 4;
    private const int IPv6Size = 16;

    // libnftnl's NFTNL_UDATA_SET_KEYBYTEORDER: four bytes, BYTEORDER_BIG_ENDIAN. Without it nft shows addresses backwards.
    private static readonly byte[] KeyByteOrder = [0, 4, 2, 0, 0, 0];

    /// <summary>The user data of our rules: libnftnl's NFTNL_UDATA_RULE_COMMENT.</summary>
    public static ReadOnlySpan<byte> RuleUserData => RuleUserDataBytes;

    private static readonly byte[] RuleUserDataBytes =
        [0, (byte)(FirewallTable.RuleComment.Length + 1), .. Encoding.ASCII.GetBytes(FirewallTable.RuleComment), 0];

    /// <summary>Begins a transaction.</summary>
    public static Span<byte> WriteBegin(Span<byte> buffer) => WriteBoundary(buffer, NFNL_MSG_BATCH_BEGIN);

    /// <summary>Ends a transaction.</summary>
    public static Span<byte> WriteEnd(Span<byte> buffer) => WriteBoundary(buffer, NFNL_MSG_BATCH_END);

    /// <summary>Adds the table; one that is there is fine.</summary>
    public static Span<byte> WriteAddTable(Span<byte> buffer, ushort flags = 0)
    {
        var writer = Begin(buffer, NFT_MSG_NEWTABLE, flags);
        writer.WriteString(NFTA_TABLE_NAME, FirewallTable.Name);
        writer.WriteUInt32BigEndian(NFTA_TABLE_FLAGS, 0);
        return writer.Complete();
    }

    /// <summary>Deletes the table and everything in it.</summary>
    public static Span<byte> WriteDeleteTable(Span<byte> buffer, ushort flags = 0)
    {
        var writer = Begin(buffer, NFT_MSG_DELTABLE, flags);
        writer.WriteString(NFTA_TABLE_NAME, FirewallTable.Name);
        return writer.Complete();
    }

    /// <summary>Adds the chain.</summary>
    public static Span<byte> WriteAddChain(Span<byte> buffer)
    {
        var writer = Begin(buffer, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
        writer.WriteString(NFTA_CHAIN_TABLE, FirewallTable.Name);
        writer.WriteString(NFTA_CHAIN_NAME, FirewallTable.Chain);
        writer.WriteString(NFTA_CHAIN_TYPE, "filter");
        writer.WriteUInt32BigEndian(NFTA_CHAIN_POLICY, NF_ACCEPT);
        var hook = writer.BeginNested(NFTA_CHAIN_HOOK);
        writer.WriteUInt32BigEndian(NFTA_HOOK_HOOKNUM, NF_INET_FORWARD);
        writer.WriteUInt32BigEndian(NFTA_HOOK_PRIORITY, unchecked((uint)NF_IP_PRI_RAW));
        writer.EndNested(hook);
        return writer.Complete();
    }

    /// <summary>Adds the counter.</summary>
    public static Span<byte> WriteAddCounter(Span<byte> buffer)
    {
        var writer = Begin(buffer, NFT_MSG_NEWOBJ, NLM_F_CREATE);
        writer.WriteString(NFTA_OBJ_TABLE, FirewallTable.Name);
        writer.WriteString(NFTA_OBJ_NAME, FirewallTable.Counter);
        writer.WriteUInt32BigEndian(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
        var data = writer.BeginNested(NFTA_OBJ_DATA);
        writer.WriteUInt64BigEndian(NFTA_COUNTER_BYTES, 0);
        writer.WriteUInt64BigEndian(NFTA_COUNTER_PACKETS, 0);
        writer.EndNested(data);
        return writer.Complete();
    }

    /// <summary>Adds the set of a family.</summary>
    public static Span<byte> WriteAddSet(Span<byte> buffer, bool isIPv6)
    {
        var writer = Begin(buffer, NFT_MSG_NEWSET, NLM_F_CREATE);
        writer.WriteString(NFTA_SET_TABLE, FirewallTable.Name);
        writer.WriteString(NFTA_SET_NAME, SetName(isIPv6));
        writer.WriteUInt32BigEndian(NFTA_SET_FLAGS, NFT_SET_INTERVAL);
        writer.WriteUInt32BigEndian(NFTA_SET_KEY_TYPE, isIPv6 ? IPv6KeyType : IPv4KeyType);
        writer.WriteUInt32BigEndian(NFTA_SET_KEY_LEN, (uint)AddressSize(isIPv6));
        writer.WriteUInt32BigEndian(NFTA_SET_ID, isIPv6 ? IPv6SetId : IPv4SetId);
        writer.WriteBytes(NFTA_SET_USERDATA, KeyByteOrder);
        return writer.Complete();
    }

    /// <summary>Adds prefixes of one family to their set.</summary>
    public static Span<byte> WriteAddSources(Span<byte> buffer, bool isIPv6, ReadOnlySpan<IPPrefix> sources, ushort flags = 0) =>
        WriteSources(buffer, NFT_MSG_NEWSETELEM, (ushort)(NLM_F_CREATE | flags), isIPv6, sources);

    /// <summary>Removes prefixes of one family from their set.</summary>
    public static Span<byte> WriteRemoveSources(Span<byte> buffer, bool isIPv6, ReadOnlySpan<IPPrefix> sources, ushort flags = 0) =>
        WriteSources(buffer, NFT_MSG_DELSETELEM, flags, isIPv6, sources);

    /// <summary>Asks for the prefixes of one family.</summary>
    public static Span<byte> WriteGetSources(Span<byte> buffer, bool isIPv6)
    {
        var writer = Begin(buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP);
        writer.WriteString(NFTA_SET_ELEM_LIST_SET, SetName(isIPv6));
        writer.WriteString(NFTA_SET_ELEM_LIST_TABLE, FirewallTable.Name);
        return writer.Complete();
    }

    /// <summary>Asks for the objects of the table: the counter.</summary>
    public static Span<byte> WriteGetCounters(Span<byte> buffer)
    {
        var writer = Begin(buffer, NFT_MSG_GETOBJ, NLM_F_DUMP);
        writer.WriteString(NFTA_OBJ_TABLE, FirewallTable.Name);
        return writer.Complete();
    }

    /// <summary>Asks for the rules of the table.</summary>
    public static Span<byte> WriteGetRules(Span<byte> buffer)
    {
        var writer = Begin(buffer, NFT_MSG_GETRULE, NLM_F_DUMP);
        writer.WriteString(NFTA_RULE_TABLE, FirewallTable.Name);
        return writer.Complete();
    }

    /// <summary>Name of the set of a family.</summary>
    public static string SetName(bool isIPv6) => isIPv6 ? FirewallTable.IPv6Set : FirewallTable.IPv4Set;

    /// <summary>nlmsg_type of an nftables message.</summary>
    public static ushort MessageType(byte type) => (ushort)((NFNL_SUBSYS_NFTABLES << 8) | type);

    // An interval is two elements: its first address, and the first address behind it, marked as an end. A prefix at the very end of the
    // address space has nothing behind it.
    private static Span<byte> WriteSources(Span<byte> buffer, byte type, ushort flags, bool isIPv6, ReadOnlySpan<IPPrefix> sources)
    {
        var writer = Begin(buffer, type, flags);
        writer.WriteString(NFTA_SET_ELEM_LIST_TABLE, FirewallTable.Name);
        writer.WriteString(NFTA_SET_ELEM_LIST_SET, SetName(isIPv6));
        var list = writer.BeginNested(NFTA_SET_ELEM_LIST_ELEMENTS);
        Span<byte> key = stackalloc byte[IPv6Size];
        key = key[..AddressSize(isIPv6)];
        foreach (var source in sources)
        {
            source.Address.TryWriteBytes(key, out _);
            WriteElement(ref writer, key, isEnd: false);
            if (PrefixInterval.TryMoveBehind(key, source.Length))
            {
                WriteElement(ref writer, key, isEnd: true);
            }
        }

        writer.EndNested(list);
        return writer.Complete();
    }

    private static void WriteElement(ref NetlinkWriter writer, scoped ReadOnlySpan<byte> address, bool isEnd)
    {
        var element = writer.BeginNested(NFTA_LIST_ELEM);
        if (isEnd)
        {
            writer.WriteUInt32BigEndian(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
        }

        var key = writer.BeginNested(NFTA_SET_ELEM_KEY);
        writer.WriteBytes(NFTA_DATA_VALUE, address);
        writer.EndNested(key);
        writer.EndNested(element);
    }

    private static int AddressSize(bool isIPv6) => isIPv6 ? IPv6Size : IPv4Size;

    // struct nfgenmsg: family, version NFNETLINK_V0, res_id, which is zero outside of the two boundaries.
    private static NetlinkWriter Begin(Span<byte> buffer, byte type, ushort flags)
    {
        var writer = new NetlinkWriter(buffer, MessageType(type), (ushort)(NLM_F_REQUEST | flags));
        writer.WriteByte(NFPROTO_INET);
        writer.WriteByte(0);
        writer.WriteUInt16(0);
        return writer;
    }

    private static Span<byte> WriteBoundary(Span<byte> buffer, ushort type)
    {
        var writer = new NetlinkWriter(buffer, type, NLM_F_REQUEST);
        writer.WriteUInt16(0); // AF_UNSPEC, NFNETLINK_V0
        writer.WriteUInt16(BinaryPrimitives.ReverseEndianness(NFNL_SUBSYS_NFTABLES));
        return writer.Complete();
    }
}
