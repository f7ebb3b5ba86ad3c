using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.Linux.Routing.Nftables;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Linux.Routing.Firewall;

/// <summary>
/// The expected bytes are what nft 1.0.6 sends for the table in the remarks of <see cref="FirewallTable"/>, recorded by strace on Linux
/// 6.18; only numbers of nested list items, which the kernel ignores, are all 1 in ours, and ours have no end at address zero.
/// </summary>
public sealed class FirewallMessagesTests
{
    private const string Header = "01 00 0000 1600 0100 6f726c65616e735f776972656775617264 000000";
    private const string Forward = "0c00 0200 666f727761726400 6801 0480";
    private const string Postrouting = "1000 0200 706f7374726f7574696e6700 d001 0480";
    private const string LoadLink = "2400 0180 0900 0100 6d657461 00 000000 1400 0280 0800 0200";
    private const string RuleStart = """
        0800 0100 00000001
        3400 0180 0800 0100 636d7000 2800 0280 0800 0100 00000001 0800 0200 00000001 1400 0380 0d00 0100 63696c69756d5f7767 000000
        2400 0180 0900 0100 6d657461 00 000000 1400 0280 0800 0200 0000000f 0800 0100 00000001
        2c00 0180 0800 0100 636d7000 2000 0280 0800 0100 00000001 0800 0200 00000000
        """;

    private const string Load = "3400 0180 0c00 0100 7061796c6f616400 2400 0280 0800 0100 00000001 0800 0200 00000001 0800 0300";
    private const string Lookup = "0180 0b00 0100 6c6f6f6b757000 00 2000 0280 0800 0200 00000001";
    private const string CountIn = "2800 0180 0b00 0100 6f626a72656600 00 1800 0280 0800 0100 00000001 0b00 0200 64726f70706564 00";
    private const string CountOut =
        "2c00 0180 0b00 0100 6f626a72656600 00 1c00 0280 0800 0100 00000001 0f00 0200 64726f707065645f6f7574 00";
    private const string RuleEnd = """
        3000 0180 0e00 0100 696d6d65646961746500 0000 1c00 0280 0800 0100 00000000 1000 0280 0c00 0280 0800 0100 00000000
        0c00 0700 0006 6f7767203200
        """;

    private static readonly NftablesTable Table = FirewallTable.Table;
    private static readonly byte[] Buffer = new byte[1024];
    private static readonly IPPrefix[] IPv4 = [IPPrefix.Parse("10.244.2.0/24")];
    private static readonly IPPrefix[] IPv6 = [IPPrefix.Parse("fd00:244:2::/64")];

    [Fact]
    public void WriteBoundaries_WriteLiteralBytes()
    {
        Assert.Equal(Hex.Text("14000000 1000 0100 00000000 00000000 0000 000a"), Hex.Text(NftablesMessages.WriteBegin(Buffer)));
        Assert.Equal(Hex.Text("14000000 1100 0100 00000000 00000000 0000 000a"), Hex.Text(NftablesMessages.WriteEnd(Buffer)));
    }

    [Fact]
    public void WriteTable_WritesLiteralBytes()
    {
        Assert.Equal(Text("000a 0100", Header + "0800 0200 00000000"), Hex.Text(NftablesMessages.WriteAddTable(Buffer, Table)));
        Assert.Equal(Text("020a 0500", Header), Hex.Text(NftablesMessages.WriteDeleteTable(Buffer, Table, NLM_F_ACK)));
    }

    [Fact]
    public void WriteAddChain_WritesLiteralBytes()
    {
        Assert.Equal(
            Text("030a 0104", Header + """
                0c00 0300 666f727761726400 0b00 0700 66696c746572 00 00 0800 0500 00000001
                1400 0480 0800 0100 00000002 0800 0200 fffffed4
                """),
            Hex.Text(NftablesMessages.WriteAddChain(Buffer, Table, FirewallTable.Forward.Name, FirewallTable.Forward.Hook)));
        Assert.Equal(
            Text("030a 0104", Header + """
                1000 0300 706f7374726f7574696e6700 0b00 0700 66696c746572 00 00 0800 0500 00000001
                1400 0480 0800 0100 00000004 0800 0200 fffffed4
                """),
            Hex.Text(NftablesMessages.WriteAddChain(Buffer, Table, FirewallTable.Postrouting.Name, FirewallTable.Postrouting.Hook)));
    }

    [Fact]
    public void WriteAddCounter_WritesLiteralBytes()
    {
        Assert.Equal(
            Text("120a 0104", Header + """
                0c00 0200 64726f7070656400 0800 0300 00000001 1c00 0480 0c00 0100 0000000000000000 0c00 0200 0000000000000000
                """),
            Hex.Text(NftablesMessages.WriteAddCounter(Buffer, Table, FirewallTable.Counter)));
        Assert.Equal(
            Text("120a 0104", Header + """
                1000 0200 64726f707065645f6f757400 0800 0300 00000001 1c00 0480 0c00 0100 0000000000000000 0c00 0200 0000000000000000
                """),
            Hex.Text(NftablesMessages.WriteAddCounter(Buffer, Table, FirewallTable.OutgoingCounter)));
    }

    [Theory]
    [InlineData(0, "0c00 0200 72656d6f74653400 0800 0300 00000004 0800 0400 00000007 0800 0500 00000004 0800 0a00 00000001")]
    [InlineData(1, "0c00 0200 72656d6f74653600 0800 0300 00000004 0800 0400 00000008 0800 0500 00000010 0800 0a00 00000002")]
    [InlineData(2, "0b00 0200 6c6f63616c3400 00 0800 0300 00000004 0800 0400 00000007 0800 0500 00000004 0800 0a00 00000003")]
    [InlineData(3, "0b00 0200 6c6f63616c3600 00 0800 0300 00000004 0800 0400 00000008 0800 0500 00000010 0800 0a00 00000004")]
    public void WriteAddSet_WritesLiteralBytes(int number, string expected)
    {
        var set = FirewallTable.Sets[number];
        Assert.Equal(
            Text("090a 0104", Header + expected + "0a00 0d00 0004 02000000 0000"),
            Hex.Text(NftablesMessages.WriteAddSet(Buffer, Table, set.Name, set.IsIPv6, set.Id)));
    }

    [Fact]
    public void WriteAddPrefixes_WritesLiteralBytes()
    {
        Assert.Equal(
            Text("0c0a 0104", Header + """
                0c00 0200 72656d6f74653400 2c00 0380 1000 0180 0c00 0180 0800 0100 0af40200
                1800 0180 0800 0300 00000001 0c00 0180 0800 0100 0af40300
                """),
            Hex.Text(NftablesMessages.WriteAddPrefixes(Buffer, Table, FirewallTable.Remote4.Name, isIPv6: false, IPv4)));
        Assert.Equal(
            Text("0c0a 0504", Header + """
                0c00 0200 72656d6f74653600 4400 0380 1c00 0180 1800 0180 1400 0100 fd000244000200000000000000000000
                2400 0180 0800 0300 00000001 1800 0180 1400 0100 fd000244000200010000000000000000
                """),
            Hex.Text(NftablesMessages.WriteAddPrefixes(Buffer, Table, FirewallTable.Remote6.Name, isIPv6: true, IPv6, NLM_F_ACK)));
    }

    [Fact]
    public void WriteRemovePrefixes_WritesLiteralBytes() => Assert.Equal(
        Text("0e0a 0100", Header + """
            0c00 0200 72656d6f74653400 2c00 0380 1000 0180 0c00 0180 0800 0100 0af40200
            1800 0180 0800 0300 00000001 0c00 0180 0800 0100 0af40300
            """),
        Hex.Text(NftablesMessages.WriteRemovePrefixes(Buffer, Table, FirewallTable.Remote4.Name, isIPv6: false, IPv4)));

    [Fact]
    public void WriteAddRule_In_WritesLiteralBytes()
    {
        Assert.Equal(
            Text("060a 010c", $"{Header} {Forward} {LoadLink} 00000006 {RuleStart}" + $"""
                0c00 0380 0500 0100 02 000000
                {Load} 0000000c 0800 0400 00000004 3000 {Lookup} 0c00 0100 72656d6f74653400 0800 0400 00000001
                {CountIn} {RuleEnd}
                """),
            Hex.Text(FirewallMessages.WriteAddRule(Buffer, FirewallTable.Rules[0])));
        Assert.Equal(
            Text("060a 050c", $"{Header} {Forward} {LoadLink} 00000006 {RuleStart}" + $"""
                0c00 0380 0500 0100 0a 000000
                {Load} 00000008 0800 0400 00000010 3000 {Lookup} 0c00 0100 72656d6f74653600 0800 0400 00000002
                {CountIn} {RuleEnd}
                """),
            Hex.Text(FirewallMessages.WriteAddRule(Buffer, FirewallTable.Rules[1], NLM_F_ACK)));
    }

    [Fact]
    public void WriteAddRule_Out_WritesLiteralBytes()
    {
        Assert.Equal(
            Text("060a 010c", $"{Header} {Postrouting} {LoadLink} 00000007 {RuleStart}" + $"""
                0c00 0380 0500 0100 02 000000
                {Load} 0000000c 0800 0400 00000004 3000 {Lookup} 0b00 0100 6c6f63616c3400 00 0800 0400 00000003
                {Load} 00000010 0800 0400 00000004 3000 {Lookup} 0c00 0100 72656d6f74653400 0800 0400 00000001
                {CountOut} {RuleEnd}
                """),
            Hex.Text(FirewallMessages.WriteAddRule(Buffer, FirewallTable.Rules[2])));
        Assert.Equal(
            Text("060a 010c", $"{Header} {Postrouting} {LoadLink} 00000007 {RuleStart}" + $"""
                0c00 0380 0500 0100 0a 000000
                {Load} 00000008 0800 0400 00000010 3000 {Lookup} 0b00 0100 6c6f63616c3600 00 0800 0400 00000004
                {Load} 00000018 0800 0400 00000010 3000 {Lookup} 0c00 0100 72656d6f74653600 0800 0400 00000002
                {CountOut} {RuleEnd}
                """),
            Hex.Text(FirewallMessages.WriteAddRule(Buffer, FirewallTable.Rules[3])));
    }

    [Fact]
    public void WriteQuestions_WriteLiteralBytes()
    {
        Assert.Equal(
            Text("0d0a 0103", "01 00 0000 0c00 0200 72656d6f74653400 1600 0100 6f726c65616e735f776972656775617264 000000"),
            Hex.Text(NftablesMessages.WriteGetPrefixes(Buffer, Table, FirewallTable.Remote4.Name)));
        Assert.Equal(Text("130a 0103", Header), Hex.Text(NftablesMessages.WriteGetCounters(Buffer, Table)));
        Assert.Equal(Text("070a 0103", Header), Hex.Text(NftablesMessages.WriteGetRules(Buffer, Table)));
    }

    // Recorded: two adjacent prefixes, in the kernel's order, with the end at zero that nft wrote; the counter; a rule of ours.
    [Fact]
    public void ReadPrefixes_Recorded_YieldsPrefixes()
    {
        var ends = new List<(byte[] Address, bool IsEnd)>();
        NftablesReader.ReadPrefixes(Message("0c0a 0200", """
            01000002160001006f726c65616e735f7769726567756172640000000c00020072656d6f746534006c000300180001000c000100080001000af40400080003
            0000000001100001000c000100080001000af40300180001000c000100080001000af403000800030000000001100001000c000100080001000af402001800
            01000c00010008000100000000000800030000000001
            """), ends);
        Assert.Equal([IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("10.244.3.0/24")], PrefixInterval.TryJoin(ends));
    }

    [Fact]
    public void TryReadCounter_Recorded_YieldsBoth() => Assert.Equal(
        new NftablesCounter(FirewallTable.Name, FirewallTable.Counter, 7, 588), NftablesReader.TryReadCounter(Message("120a 0208", """
        01000002160001006f726c65616e735f7769726567756172640000000c00020064726f707065640008000300000000010c00060000000000000000020800
        0500000000021c0004000c000100000000000000024c0c0002000000000000000007
        """)));

    [Fact]
    public void ReadRule_OurComment_Decides()
    {
        const string Rule =
            "01000002160001006f726c65616e735f7769726567756172640000000c000200666f7277617264000c00030000000000000000050c000700";
        Assert.Equal(
            ("forward", true), NftablesReader.ReadRule(Message("060a 0208", Rule + "0006 6f7767203200"), FirewallMessages.RuleUserData));
        Assert.Equal(
            ("forward", false), NftablesReader.ReadRule(Message("060a 0208", Rule + "0006 6f7767203100"), FirewallMessages.RuleUserData));
    }

    private static NetlinkMessage Message(string typeAndFlags, string payload)
    {
        new NetlinkReader(Hex.Bytes(Text(typeAndFlags, payload))).TryReadMessage(out var message);
        return message;
    }

    private static string Text(string typeAndFlags, string payload)
    {
        var length = NetlinkWriter.HeaderSize + Hex.Bytes(payload).Length;
        return Hex.Text($"{Hex.Text(BitConverter.GetBytes(length))} {typeAndFlags} 00000000 00000000 {payload}");
    }
}
