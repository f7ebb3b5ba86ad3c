// The rules, as the expressions that nft(8) compiles them to.
using System.Text;
using Orleans.WireGuard.Silo.Devices.Netlink;
using static Orleans.WireGuard.Silo.Devices.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Silo.Routing.Firewall;

internal static partial class FirewallMessages
{
    // Where the source address is: RFC 791 section 3.1, RFC 8200 section 3.
    private const uint IPv4SourceOffset = 12;
    private const uint IPv6SourceOffset = 8;

    /// <summary>Adds the rule of a family behind those that are there.</summary>
    public static Span<byte> WriteAddRule(Span<byte> buffer, bool isIPv6, ushort flags = 0)
    {
        var writer = Begin(buffer, NFT_MSG_NEWRULE, (ushort)(NLM_F_CREATE | NLM_F_APPEND | flags));
        writer.WriteString(NFTA_RULE_TABLE, FirewallTable.Name);
        writer.WriteString(NFTA_RULE_CHAIN, FirewallTable.Chain);
        var expressions = writer.BeginNested(NFTA_RULE_EXPRESSIONS);

        // Without the terminating zero the comparison is with the first bytes of the name only.
        WriteMeta(ref writer, NFT_META_IIFNAME);
        WriteCompare(ref writer, NFT_CMP_NEQ, Encoding.ASCII.GetBytes(FirewallTable.DevicePrefix));
        WriteMeta(ref writer, NFT_META_NFPROTO);
        WriteCompare(ref writer, NFT_CMP_EQ, [isIPv6 ? NFPROTO_IPV6 : NFPROTO_IPV4]);
        WriteLoadSource(ref writer, isIPv6);
        WriteLookup(ref writer, isIPv6);
        WriteCount(ref writer);
        WriteDrop(ref writer);
        writer.EndNested(expressions);
        writer.WriteBytes(NFTA_RULE_USERDATA, RuleUserData);
        return writer.Complete();
    }

    private static void WriteMeta(ref NetlinkWriter writer, uint key)
    {
        var expression = BeginExpression(ref writer, "meta");
        writer.WriteUInt32BigEndian(NFTA_META_KEY, key);
        writer.WriteUInt32BigEndian(NFTA_META_DREG, NFT_REG_1);
        EndExpression(ref writer, expression);
    }

    private static void WriteCompare(ref NetlinkWriter writer, uint operation, scoped ReadOnlySpan<byte> value)
    {
        var expression = BeginExpression(ref writer, "cmp");
        writer.WriteUInt32BigEndian(NFTA_CMP_SREG, NFT_REG_1);
        writer.WriteUInt32BigEndian(NFTA_CMP_OP, operation);
        var data = writer.BeginNested(NFTA_CMP_DATA);
        writer.WriteBytes(NFTA_DATA_VALUE, value);
        writer.EndNested(data);
        EndExpression(ref writer, expression);
    }

    private static void WriteLoadSource(ref NetlinkWriter writer, bool isIPv6)
    {
        var expression = BeginExpression(ref writer, "payload");
        writer.WriteUInt32BigEndian(NFTA_PAYLOAD_DREG, NFT_REG_1);
        writer.WriteUInt32BigEndian(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
        writer.WriteUInt32BigEndian(NFTA_PAYLOAD_OFFSET, isIPv6 ? IPv6SourceOffset : IPv4SourceOffset);
        writer.WriteUInt32BigEndian(NFTA_PAYLOAD_LEN, (uint)AddressSize(isIPv6));
        EndExpression(ref writer, expression);
    }

    private static void WriteLookup(ref NetlinkWriter writer, bool isIPv6)
    {
        var expression = BeginExpression(ref writer, "lookup");
        writer.WriteUInt32BigEndian(NFTA_LOOKUP_SREG, NFT_REG_1);
        writer.WriteString(NFTA_LOOKUP_SET, SetName(isIPv6));
        writer.WriteUInt32BigEndian(NFTA_LOOKUP_SET_ID, isIPv6 ? IPv6SetId : IPv4SetId);
        EndExpression(ref writer, expression);
    }

    private static void WriteCount(ref NetlinkWriter writer)
    {
        var expression = BeginExpression(ref writer, "objref");
        writer.WriteUInt32BigEndian(NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);

        // The kernel takes the name with or without its zero; nft leaves it out here.
        writer.WriteBytes(NFTA_OBJREF_IMM_NAME, Encoding.ASCII.GetBytes(FirewallTable.Counter));
        EndExpression(ref writer, expression);
    }

    private static void WriteDrop(ref NetlinkWriter writer)
    {
        var expression = BeginExpression(ref writer, "immediate");
        writer.WriteUInt32BigEndian(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        var data = writer.BeginNested(NFTA_IMMEDIATE_DATA);
        var verdict = writer.BeginNested(NFTA_DATA_VERDICT);
        writer.WriteUInt32BigEndian(NFTA_VERDICT_CODE, NF_DROP);
        writer.EndNested(verdict);
        writer.EndNested(data);
        EndExpression(ref writer, expression);
    }

    private static (int Element, int Data) BeginExpression(ref NetlinkWriter writer, string name)
    {
        var element = writer.BeginNested(NFTA_LIST_ELEM);
        writer.WriteString(NFTA_EXPR_NAME, name);
        return (element, writer.BeginNested(NFTA_EXPR_DATA));
    }

    private static void EndExpression(ref NetlinkWriter writer, (int Element, int Data) expression)
    {
        writer.EndNested(expression.Data);
        writer.EndNested(expression.Element);
    }
}
