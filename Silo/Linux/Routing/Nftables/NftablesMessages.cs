// Messages of nftables: linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h. There is no manual; nft(8) --debug=mnl shows its own.
using System.Buffers.Binary;
using System.Text;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>Writes what makes, changes and asks for tables of nftables. Reading: <see cref="NftablesReader"/>.</summary>
internal static class NftablesMessages
{
    // TYPE_IPADDR and TYPE_IP6ADDR of nft's src/datatype.c. The kernel keeps them for nft, which shows the elements by them.
    private const uint IPv4KeyType = 7;
    private const uint IPv6KeyType = 8;
    private const int IPv4Size = 4;
    private const int IPv6Size = 16;

    // libnftnl's NFTNL_UDATA_SET_KEYBYTEORDER: four bytes, BYTEORDER_BIG_ENDIAN. Without it nft shows addresses backwards.
    private static readonly byte[] KeyByteOrder = [0, 4, 2, 0, 0, 0];

    /// <summary>Writes the expressions of a rule.</summary>
    public delegate void RuleBody(ref NetlinkWriter writer);

    /// <summary>Begins a transaction.</summary>
    public static Span<byte> WriteBegin(Span<byte> buffer) => WriteBoundary(buffer, NFNL_MSG_BATCH_BEGIN);

    /// <summary>Ends a transaction.</summary>
    public static Span<byte> WriteEnd(Span<byte> buffer) => WriteBoundary(buffer, NFNL_MSG_BATCH_END);

    /// <summary>Adds a table; one that is there is fine.</summary>
    public static Span<byte> WriteAddTable(Span<byte> buffer, NftablesTable table, ushort flags = 0)
    {
        var writer = Begin(buffer, NFT_MSG_NEWTABLE, table, flags);
        writer.WriteString(NFTA_TABLE_NAME, table.Name);
        writer.WriteUInt32BigEndian(NFTA_TABLE_FLAGS, 0);
        return writer.Complete();
    }

    /// <summary>Deletes a table and everything in it.</summary>
    public static Span<byte> WriteDeleteTable(Span<byte> buffer, NftablesTable table, ushort flags = 0)
    {
        var writer = Begin(buffer, NFT_MSG_DELTABLE, table, flags);
        writer.WriteString(NFTA_TABLE_NAME, table.Name);
        return writer.Complete();
    }

    /// <summary>Adds a chain that lets pass what its rules do not drop. Without a hook it is called from other chains only.</summary>
    public static Span<byte> WriteAddChain(Span<byte> buffer, NftablesTable table, string name, NftablesHook? hook)
    {
        var writer = Begin(buffer, NFT_MSG_NEWCHAIN, table, NLM_F_CREATE);
        writer.WriteString(NFTA_CHAIN_TABLE, table.Name);
        writer.WriteString(NFTA_CHAIN_NAME, name);
        if (hook is null)
        {
            return writer.Complete();
        }

        writer.WriteString(NFTA_CHAIN_TYPE, "filter");
        writer.WriteUInt32BigEndian(NFTA_CHAIN_POLICY, NF_ACCEPT);
        var nested = writer.BeginNested(NFTA_CHAIN_HOOK);
        writer.WriteUInt32BigEndian(NFTA_HOOK_HOOKNUM, hook.Number);
        writer.WriteUInt32BigEndian(NFTA_HOOK_PRIORITY, unchecked((uint)hook.Priority));
        if (hook.Device.Length > 0)
        {
            writer.WriteString(NFTA_HOOK_DEV, hook.Device);
        }

        writer.EndNested(nested);
        return writer.Complete();
    }

    /// <summary>Deletes a chain that has no rules.</summary>
    public static Span<byte> WriteDeleteChain(Span<byte> buffer, NftablesTable table, string name)
    {
        var writer = Begin(buffer, NFT_MSG_DELCHAIN, table, 0);
        writer.WriteString(NFTA_CHAIN_TABLE, table.Name);
        writer.WriteString(NFTA_CHAIN_NAME, name);
        return writer.Complete();
    }

    /// <summary>Deletes all rules of all chains, or of one.</summary>
    public static Span<byte> WriteDeleteRules(Span<byte> buffer, NftablesTable table, string chain = "", ushort flags = 0)
    {
        var writer = Begin(buffer, NFT_MSG_DELRULE, table, flags);
        writer.WriteString(NFTA_RULE_TABLE, table.Name);
        if (chain.Length > 0)
        {
            writer.WriteString(NFTA_RULE_CHAIN, chain);
        }

        return writer.Complete();
    }

    /// <summary>Deletes a counter that no rule names.</summary>
    public static Span<byte> WriteDeleteCounter(Span<byte> buffer, NftablesTable table, string name)
    {
        var writer = Begin(buffer, NFT_MSG_DELOBJ, table, 0);
        writer.WriteString(NFTA_OBJ_TABLE, table.Name);
        writer.WriteString(NFTA_OBJ_NAME, name);
        writer.WriteUInt32BigEndian(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
        return writer.Complete();
    }

    /// <summary>Adds a counter that begins with so many packets; one that is there goes on.</summary>
    public static Span<byte> WriteAddCounter(Span<byte> buffer, NftablesTable table, string name, ulong packets = 0)
    {
        var writer = Begin(buffer, NFT_MSG_NEWOBJ, table, NLM_F_CREATE);
        writer.WriteString(NFTA_OBJ_TABLE, table.Name);
        writer.WriteString(NFTA_OBJ_NAME, name);
        writer.WriteUInt32BigEndian(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
        var data = writer.BeginNested(NFTA_OBJ_DATA);
        writer.WriteUInt64BigEndian(NFTA_COUNTER_BYTES, 0);
        writer.WriteUInt64BigEndian(NFTA_COUNTER_PACKETS, packets);
        writer.EndNested(data);
        return writer.Complete();
    }

    /// <summary>
    /// Adds a set of prefixes of one family, which the rules of the same transaction name by a number that is unique in it.
    /// </summary>
    public static Span<byte> WriteAddSet(Span<byte> buffer, NftablesTable table, string name, bool isIPv6, uint id)
    {
        var writer = Begin(buffer, NFT_MSG_NEWSET, table, NLM_F_CREATE);
        writer.WriteString(NFTA_SET_TABLE, table.Name);
        writer.WriteString(NFTA_SET_NAME, name);
        writer.WriteUInt32BigEndian(NFTA_SET_FLAGS, NFT_SET_INTERVAL);
        writer.WriteUInt32BigEndian(NFTA_SET_KEY_TYPE, isIPv6 ? IPv6KeyType : IPv4KeyType);
        writer.WriteUInt32BigEndian(NFTA_SET_KEY_LEN, (uint)AddressSize(isIPv6));
        writer.WriteUInt32BigEndian(NFTA_SET_ID, id);
        writer.WriteBytes(NFTA_SET_USERDATA, KeyByteOrder);
        return writer.Complete();
    }

    /// <summary>Adds prefixes of one family to a set.</summary>
    public static Span<byte> WriteAddPrefixes(
        Span<byte> buffer, NftablesTable table, string set, bool isIPv6, ReadOnlySpan<IPPrefix> prefixes, ushort flags = 0) =>
        WritePrefixes(buffer, NFT_MSG_NEWSETELEM, table, set, (ushort)(NLM_F_CREATE | flags), isIPv6, prefixes);

    /// <summary>Removes prefixes of one family from a set.</summary>
    public static Span<byte> WriteRemovePrefixes(
        Span<byte> buffer, NftablesTable table, string set, bool isIPv6, ReadOnlySpan<IPPrefix> prefixes, ushort flags = 0) =>
        WritePrefixes(buffer, NFT_MSG_DELSETELEM, table, set, flags, isIPv6, prefixes);

    /// <summary>Asks for the prefixes of a set.</summary>
    public static Span<byte> WriteGetPrefixes(Span<byte> buffer, NftablesTable table, string set)
    {
        var writer = Begin(buffer, NFT_MSG_GETSETELEM, table, NLM_F_DUMP);
        writer.WriteString(NFTA_SET_ELEM_LIST_SET, set);
        writer.WriteString(NFTA_SET_ELEM_LIST_TABLE, table.Name);
        return writer.Complete();
    }

    /// <summary>Asks for the objects of a table: its counters.</summary>
    public static Span<byte> WriteGetCounters(Span<byte> buffer, NftablesTable table)
    {
        var writer = Begin(buffer, NFT_MSG_GETOBJ, table, NLM_F_DUMP);
        writer.WriteString(NFTA_OBJ_TABLE, table.Name);
        return writer.Complete();
    }

    /// <summary>Asks for the chains of a family: the kernel does not filter them by table.</summary>
    public static Span<byte> WriteGetChains(Span<byte> buffer, NftablesTable table) =>
        Begin(buffer, NFT_MSG_GETCHAIN, table, NLM_F_DUMP).Complete();

    /// <summary>Asks for the rules of a table.</summary>
    public static Span<byte> WriteGetRules(Span<byte> buffer, NftablesTable table)
    {
        var writer = Begin(buffer, NFT_MSG_GETRULE, table, NLM_F_DUMP);
        writer.WriteString(NFTA_RULE_TABLE, table.Name);
        return writer.Complete();
    }

    /// <summary>
    /// Adds a rule behind those that are there, with a comment that nft shows behind it and that tells that it is ours. On the last message
    /// of a transaction the flags are NLM_F_ACK.
    /// </summary>
    public static Span<byte> WriteAddRule(
        Span<byte> buffer, NftablesTable table, string chain, string comment, RuleBody body, ushort flags = 0)
    {
        var writer = Begin(buffer, NFT_MSG_NEWRULE, table, (ushort)(NLM_F_CREATE | NLM_F_APPEND | flags));
        writer.WriteString(NFTA_RULE_TABLE, table.Name);
        writer.WriteString(NFTA_RULE_CHAIN, chain);
        var expressions = writer.BeginNested(NFTA_RULE_EXPRESSIONS);
        body(ref writer);
        writer.EndNested(expressions);
        writer.WriteBytes(NFTA_RULE_USERDATA, CommentData(comment));
        return writer.Complete();
    }

    /// <summary>The user data of a rule with a comment: libnftnl's NFTNL_UDATA_RULE_COMMENT.</summary>
    public static byte[] CommentData(string comment) => [0, (byte)(comment.Length + 1), .. Encoding.ASCII.GetBytes(comment), 0];

    /// <summary>nlmsg_type of an nftables message.</summary>
    public static ushort MessageType(byte type) => (ushort)((NFNL_SUBSYS_NFTABLES << 8) | type);

    /// <summary>Bytes of an address.</summary>
    public static int AddressSize(bool isIPv6) => isIPv6 ? IPv6Size : IPv4Size;

    // An interval is two elements: its first address, and the first address behind it, marked as an end. A prefix at the very end of the
    // address space has nothing behind it.
    private static Span<byte> WritePrefixes(
        Span<byte> buffer, byte type, NftablesTable table, string set, ushort flags, bool isIPv6, ReadOnlySpan<IPPrefix> prefixes)
    {
        var writer = Begin(buffer, type, table, flags);
        writer.WriteString(NFTA_SET_ELEM_LIST_TABLE, table.Name);
        writer.WriteString(NFTA_SET_ELEM_LIST_SET, set);
        var list = writer.BeginNested(NFTA_SET_ELEM_LIST_ELEMENTS);
        Span<byte> key = stackalloc byte[IPv6Size];
        key = key[..AddressSize(isIPv6)];
        foreach (var prefix in prefixes)
        {
            prefix.Address.TryWriteBytes(key, out _);
            WriteElement(ref writer, key, isEnd: false);
            if (PrefixInterval.TryMoveBehind(key, prefix.Length))
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

    // struct nfgenmsg: family, version NFNETLINK_V0, res_id, which is zero outside of the two boundaries.
    private static NetlinkWriter Begin(Span<byte> buffer, byte type, NftablesTable table, ushort flags)
    {
        var writer = new NetlinkWriter(buffer, MessageType(type), (ushort)(NLM_F_REQUEST | flags));
        writer.WriteByte(table.Family);
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
