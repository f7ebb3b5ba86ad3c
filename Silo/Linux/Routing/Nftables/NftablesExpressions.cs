// What a rule is made of, as nft(8) compiles it: expressions that load into a register, and such that compare it.
using System.Text;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>Writes the expressions of a rule. Each loads into, or compares, register 1.</summary>
internal static class NftablesExpressions
{
    // Where the addresses are: RFC 791 section 3.1, RFC 8200 section 3.
    private const uint IPv4SourceOffset = 12;
    private const uint IPv6SourceOffset = 8;

    /// <summary>Loads what the kernel knows of the packet: NFT_META_*.</summary>
    public static void LoadMeta(ref NetlinkWriter writer, uint key)
    {
        var expression = Begin(ref writer, "meta");
        writer.WriteUInt32BigEndian(NFTA_META_KEY, key);
        writer.WriteUInt32BigEndian(NFTA_META_DREG, NFT_REG_1);
        End(ref writer, expression);
    }

    /// <summary>Goes on only if the register compares so: NFT_CMP_*.</summary>
    public static void Compare(ref NetlinkWriter writer, uint operation, scoped ReadOnlySpan<byte> value)
    {
        var expression = Begin(ref writer, "cmp");
        writer.WriteUInt32BigEndian(NFTA_CMP_SREG, NFT_REG_1);
        writer.WriteUInt32BigEndian(NFTA_CMP_OP, operation);
        WriteData(ref writer, NFTA_CMP_DATA, value);
        End(ref writer, expression);
    }

    /// <summary>Loads bytes of the packet.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="header">NFT_PAYLOAD_*: where the offset counts from.</param>
    /// <param name="offset">Bytes from there.</param>
    /// <param name="length">How many bytes.</param>
    public static void LoadPayload(ref NetlinkWriter writer, uint header, uint offset, uint length)
    {
        var expression = Begin(ref writer, "payload");
        writer.WriteUInt32BigEndian(NFTA_PAYLOAD_DREG, NFT_REG_1);
        writer.WriteUInt32BigEndian(NFTA_PAYLOAD_BASE, header);
        writer.WriteUInt32BigEndian(NFTA_PAYLOAD_OFFSET, offset);
        writer.WriteUInt32BigEndian(NFTA_PAYLOAD_LEN, length);
        End(ref writer, expression);
    }

    /// <summary>Loads the source address.</summary>
    public static void LoadSource(ref NetlinkWriter writer, bool isIPv6) => LoadPayload(
        ref writer, NFT_PAYLOAD_NETWORK_HEADER, isIPv6 ? IPv6SourceOffset : IPv4SourceOffset, (uint)NftablesMessages.AddressSize(isIPv6));

    /// <summary>Loads the destination address, which lies behind the source.</summary>
    public static void LoadDestination(ref NetlinkWriter writer, bool isIPv6)
    {
        var size = (uint)NftablesMessages.AddressSize(isIPv6);
        LoadPayload(ref writer, NFT_PAYLOAD_NETWORK_HEADER, (isIPv6 ? IPv6SourceOffset : IPv4SourceOffset) + size, size);
    }

    /// <summary>Goes on only if a set holds the register.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="set">Name of the set.</param>
    /// <param name="setId">Its number in this transaction.</param>
    /// <param name="isInverted">Whether it goes on only if the set does not hold it.</param>
    public static void Lookup(ref NetlinkWriter writer, string set, uint setId, bool isInverted = false)
    {
        var expression = Begin(ref writer, "lookup");
        writer.WriteUInt32BigEndian(NFTA_LOOKUP_SREG, NFT_REG_1);
        writer.WriteString(NFTA_LOOKUP_SET, set);
        writer.WriteUInt32BigEndian(NFTA_LOOKUP_SET_ID, setId);
        if (isInverted)
        {
            writer.WriteUInt32BigEndian(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
        }

        End(ref writer, expression);
    }

    /// <summary>Leaves of the register, which holds one byte, these bits only.</summary>
    public static void Mask(ref NetlinkWriter writer, byte bits)
    {
        var expression = Begin(ref writer, "bitwise");
        writer.WriteUInt32BigEndian(NFTA_BITWISE_SREG, NFT_REG_1);
        writer.WriteUInt32BigEndian(NFTA_BITWISE_DREG, NFT_REG_1);
        writer.WriteUInt32BigEndian(NFTA_BITWISE_OP, NFT_BITWISE_BOOL);
        writer.WriteUInt32BigEndian(NFTA_BITWISE_LEN, sizeof(byte));
        WriteData(ref writer, NFTA_BITWISE_MASK, [bits]);
        WriteData(ref writer, NFTA_BITWISE_XOR, [0]);
        End(ref writer, expression);
    }

    /// <summary>Loads a value.</summary>
    public static void Load(ref NetlinkWriter writer, scoped ReadOnlySpan<byte> value)
    {
        var expression = Begin(ref writer, "immediate");
        writer.WriteUInt32BigEndian(NFTA_IMMEDIATE_DREG, NFT_REG_1);
        WriteData(ref writer, NFTA_IMMEDIATE_DATA, value);
        End(ref writer, expression);
    }

    /// <summary>
    /// Writes the register over bytes of a TCP option, if the packet has it, and corrects the checksum. A maximum segment size is never
    /// made larger (nft_exthdr_tcp_set_eval).
    /// </summary>
    /// <param name="writer">Where to.</param>
    /// <param name="option">Kind of the option.</param>
    /// <param name="offset">Bytes from its beginning.</param>
    /// <param name="length">How many bytes.</param>
    public static void WriteTcpOption(ref NetlinkWriter writer, byte option, uint offset, uint length)
    {
        var expression = Begin(ref writer, "exthdr");
        writer.WriteUInt32BigEndian(NFTA_EXTHDR_SREG, NFT_REG_1);
        writer.WriteByte(NFTA_EXTHDR_TYPE, option);
        writer.WriteUInt32BigEndian(NFTA_EXTHDR_OFFSET, offset);
        writer.WriteUInt32BigEndian(NFTA_EXTHDR_LEN, length);
        writer.WriteUInt32BigEndian(NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
        End(ref writer, expression);
    }

    /// <summary>Counts the packet.</summary>
    public static void Count(ref NetlinkWriter writer, string counter)
    {
        var expression = Begin(ref writer, "objref");
        writer.WriteUInt32BigEndian(NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);

        // The kernel takes the name with or without its zero; nft leaves it out here.
        writer.WriteBytes(NFTA_OBJREF_IMM_NAME, Encoding.ASCII.GetBytes(counter));
        End(ref writer, expression);
    }

    /// <summary>Drops the packet.</summary>
    public static void Drop(ref NetlinkWriter writer) => Decide(ref writer, NF_DROP);

    /// <summary>Lets the packet pass, past the rules behind this one.</summary>
    public static void Accept(ref NetlinkWriter writer) => Decide(ref writer, NF_ACCEPT);

    /// <summary>Goes on in another chain of the table.</summary>
    public static void Jump(ref NetlinkWriter writer, string chain) => Decide(ref writer, NFT_JUMP, chain);

    private static void Decide(ref NetlinkWriter writer, uint code, string chain = "")
    {
        var expression = Begin(ref writer, "immediate");
        writer.WriteUInt32BigEndian(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        var data = writer.BeginNested(NFTA_IMMEDIATE_DATA);
        var verdict = writer.BeginNested(NFTA_DATA_VERDICT);
        writer.WriteUInt32BigEndian(NFTA_VERDICT_CODE, code);
        if (chain.Length > 0)
        {
            writer.WriteString(NFTA_VERDICT_CHAIN, chain);
        }

        writer.EndNested(verdict);
        writer.EndNested(data);
        End(ref writer, expression);
    }

    private static void WriteData(ref NetlinkWriter writer, ushort attribute, scoped ReadOnlySpan<byte> value)
    {
        var data = writer.BeginNested(attribute);
        writer.WriteBytes(NFTA_DATA_VALUE, value);
        writer.EndNested(data);
    }

    private static (int Element, int Data) Begin(ref NetlinkWriter writer, string name)
    {
        var element = writer.BeginNested(NFTA_LIST_ELEM);
        writer.WriteString(NFTA_EXPR_NAME, name);
        return (element, writer.BeginNested(NFTA_EXPR_DATA));
    }

    private static void End(ref NetlinkWriter writer, (int Element, int Data) expression)
    {
        writer.EndNested(expression.Data);
        writer.EndNested(expression.Element);
    }
}
