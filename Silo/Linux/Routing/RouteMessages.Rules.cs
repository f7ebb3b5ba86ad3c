// Messages about rules: linux/fib_rules.h.
using System.Runtime.InteropServices;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

internal static partial class RouteMessages
{
    /// <summary>Asks for the rules of one family.</summary>
    public static Span<byte> WriteGetRules(Span<byte> buffer, int family) =>
        BeginRule(buffer, RTM_GETRULE, NLM_F_REQUEST | NLM_F_DUMP, family, 0, RT_TABLE_UNSPEC, 0).Complete();

    /// <summary>Adds the rule for a source; refused if it is there.</summary>
    public static Span<byte> WriteAddRule(Span<byte> buffer, RouteTable table, IPPrefix source) =>
        WriteRule(buffer, RTM_NEWRULE, Acknowledged | NLM_F_CREATE | NLM_F_EXCL, table, source);

    /// <summary>Deletes the rule for a source.</summary>
    public static Span<byte> WriteDeleteRule(Span<byte> buffer, RouteTable table, IPPrefix source) =>
        WriteRule(buffer, RTM_DELRULE, Acknowledged, table, source);

    /// <summary>Adds the rule for packets that this node itself packs; refused if it is there.</summary>
    public static Span<byte> WriteAddRule(Span<byte> buffer, PacketRule rule) =>
        WriteRule(buffer, RTM_NEWRULE, Acknowledged | NLM_F_CREATE | NLM_F_EXCL, rule);

    /// <summary>Deletes the rule for packets that this node itself packs.</summary>
    public static Span<byte> WriteDeleteRule(Span<byte> buffer, PacketRule rule) => WriteRule(buffer, RTM_DELRULE, Acknowledged, rule);

    private static Span<byte> WriteRule(Span<byte> buffer, ushort type, ushort flags, PacketRule rule)
    {
        var family = rule.IsIPv6 ? AF_INET6 : AF_INET;
        var writer = BeginRule(buffer, type, flags, family, 0, ShortTable(rule.Table), FR_ACT_TO_TBL);

        // The kernel takes "lo" for what the node itself sends.
        writer.WriteString(FRA_IIFNAME, RuleEntry.LoopbackLink);
        WriteLongTable(ref writer, FRA_TABLE, rule.Table);
        writer.WriteUInt32(FRA_PRIORITY, rule.Table.RulePriority);
        writer.WriteByte(FRA_PROTOCOL, RouteTable.Protocol);
        writer.WriteByte(FRA_IP_PROTO, rule.Packet.Protocol);
        if (rule.Packet.IsUdp)
        {
            Span<byte> range = stackalloc byte[2 * sizeof(ushort)];
            MemoryMarshal.Write(range, rule.Packet.Port);
            MemoryMarshal.Write(range[sizeof(ushort)..], rule.Packet.Port);
            writer.WriteBytes(FRA_DPORT_RANGE, range);
        }

        return writer.Complete();
    }

    private static Span<byte> WriteRule(Span<byte> buffer, ushort type, ushort flags, RouteTable table, IPPrefix source)
    {
        // The kernel compares sources only if the length is not zero (fib4_rule_compare, fib6_rule_compare): a rule for all sources passes
        // for any other of ours, so adding it would do nothing, and deleting it would hit a stranger's.
        if (source.Length == 0)
        {
            throw new ArgumentException($"{source} is every packet of this node; a rule is for a pod CIDR.", nameof(source));
        }

        var writer = BeginRule(buffer, type, flags, Family(source), source.Length, ShortTable(table), FR_ACT_TO_TBL);
        writer.WriteAddress(FRA_SRC, source.Address);
        WriteLongTable(ref writer, FRA_TABLE, table);
        writer.WriteUInt32(FRA_PRIORITY, table.RulePriority);
        writer.WriteByte(FRA_PROTOCOL, RouteTable.Protocol);
        return writer.Complete();
    }

    // struct fib_rule_hdr
    private static NetlinkWriter BeginRule(
        Span<byte> buffer, ushort type, ushort flags, int family, int sourceLength, byte table, byte action)
    {
        var writer = new NetlinkWriter(buffer, type, flags);
        writer.WriteByte((byte)family);
        writer.WriteByte(0); // dst_len
        writer.WriteByte((byte)sourceLength);
        writer.WriteByte(0); // tos
        writer.WriteByte(table);
        writer.WriteByte(0); // reserved
        writer.WriteByte(0); // reserved
        writer.WriteByte(action);
        writer.WriteUInt32(0); // flags
        return writer;
    }
}
