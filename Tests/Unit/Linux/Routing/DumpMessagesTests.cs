using System.Buffers.Binary;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Linux.Routing;

/// <summary>What a kernel said of a node that was made for it, and what is read of it.</summary>
public sealed class DumpMessagesTests
{
    private static readonly byte[] Buffer = new byte[64];

    private static readonly IReadOnlyList<(string Kind, byte[] Message)> Messages =
    [
        .. TestData.Read("netlink/dump-6.18.txt").Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#')
            .Select(line => line.Split(' ')).Select(words => (words[0], Convert.FromHexString(words[1]))),
    ];

    [Fact]
    public void ReadLink_OfAKernel_IsWhatWasMade()
    {
        var links = Read("link", DumpMessages.ReadLink).ToDictionary(link => link.Name);
        Assert.Equal(
            ["lo", "eth0", "br0", "veth1", "vx0", "flannel.1"], links.Values.OrderBy(link => link.Index).Select(link => link.Name));
        Assert.Equal(("veth", 1500, true, true, 0), Shape(links["eth0"]));
        Assert.Equal(("bridge", 1500, true, false, 0), Shape(links["br0"]));
        Assert.Equal(("veth", 1500, true, true, links["br0"].Index), Shape(links["veth1"]));
        Assert.Equal((8472, true), (links["vx0"].EncapsulationPort, links["vx0"].IsMetadata));
        Assert.Equal((4789, false), (links["flannel.1"].EncapsulationPort, links["flannel.1"].IsMetadata));
        Assert.Equal([true, false], [links["vx0"].IsUp, links["flannel.1"].IsUp]);
        Assert.All(links.Values, link => Assert.True(link.IsForwardingIPv4));
        Assert.Equal([0, 2], [links["eth0"].SourceCheck!.Value, links["br0"].SourceCheck!.Value]);

        static (string, int, bool, bool, int) Shape(LinkEntry link) =>
            (link.Kind, link.Mtu, link.IsUp, link.IsPeerElsewhere, link.MasterIndex);
    }

    [Fact]
    public void ReadAddress_OfAKernel_IsWhatWasMade()
    {
        var addresses = Read("address", DumpMessages.ReadAddress).OfType<AddressEntry>()
            .Where(address => !address.Address.IsIPv6LinkLocal).ToList();
        Assert.Equal(
            ["127.0.0.1/8", "192.168.7.1/24", "10.244.1.1/24", "::1/128", "fd00:7::1/64"],
            addresses.Select(address => FormattableString.Invariant($"{address.Address}/{address.PrefixLength}")));
        Assert.Equal("10.244.1.0/24", addresses[2].Network.ToString());
    }

    [Fact]
    public void ReadRoute_OfAKernel_IsWhatWasMade()
    {
        var routes = Read("route", DumpMessages.ReadRoute).OfType<RouteEntry>()
            .Where(route => route.Destination.Address is { IsIPv6LinkLocal: false, IsIPv6Multicast: false }).ToList();
        Assert.Equal(
            [
                "201 10.244.4.0/24 Throw",
                "254 0.0.0.0/0 Forward gateway",
                "254 10.244.1.0/24 Forward from 10.244.1.1",
                "254 10.244.2.0/24 Forward gateway from 10.244.1.1",
                "254 10.244.3.0/26 Refuse",
                "254 192.168.7.0/24 Forward from 192.168.7.1",
                "254 fd00:244:2::/64 Forward gateway",
                "254 fd00:244:3::/64 Refuse",
                "254 fd00:7::/64 Forward",
                "300 10.244.5.0/24 Forward gateway",
            ],
            routes.Select(Text).Order(StringComparer.Ordinal));

        static string Text(RouteEntry route) => FormattableString.Invariant($"{route.Table} {route.Destination} {route.Action}")
            + (route.HasGateway ? " gateway" : "") + (route.PreferredSource is { } source ? $" from {source}" : "");
    }

    [Fact]
    public void ReadRule_OfAKernel_IsWhatWasMade()
    {
        var rules = Read("rule", DumpMessages.ReadRule).Where(rule => rule.Priority is > 0 and < 100).ToList();
        Assert.Equal(
            [
                "50: from 10.244.1.0/24 lookup 201",
                "60: from all to 10.244.0.0/16 iif veth1 lookup 300",
                "70: from all ... lookup 2004",
                "80: from all lookup main suppress_prefixlength 0",
                "90: from 10.0.0.0/8 ...",
                "50: from fd00:244:1::/64 lookup 201",
            ],
            rules.Select(rule => rule.ToString()));
        Assert.Equal([true, false, false, false, false, false], rules.Select(rule => rule.IsOurs));
        Assert.Equal([false, false, true, false, true, false], rules.Select(rule => rule.IsNarrowed));
    }

    [Fact]
    public void ReadForwarding_OfAKernel_IsWhatWasSet() =>
        Assert.Equal([(true, 0), (false, 0)], Read("setting", DumpMessages.ReadForwarding));

    // Whatever is cut off is told as such, and nothing else is thrown.
    [Fact]
    public void Read_CutOffAnywhere_IsReadOrSaidToBeCutOff()
    {
        var cutOff = new HashSet<string>();
        foreach (var (kind, message) in Messages)
        {
            for (var length = NetlinkHeaderSize; length < message.Length; length++)
            {
                var cut = message[..length];
                BinaryPrimitives.WriteUInt32LittleEndian(cut, (uint)length);
                try
                {
                    _ = kind switch
                    {
                        "link" => (object?)Parse(cut, DumpMessages.ReadLink),
                        "address" => Parse(cut, DumpMessages.ReadAddress),
                        "route" => Parse(cut, DumpMessages.ReadRoute),
                        "rule" => Parse(cut, DumpMessages.ReadRule),
                        _ => Parse(cut, DumpMessages.ReadForwarding),
                    };
                }
                catch (NetlinkFormatException)
                {
                    // That is how it is told.
                    cutOff.Add(kind);
                }
            }

            // Nothing but its header is a message of no kind.
            Assert.Contains(kind, cutOff);
        }
    }

    // ip(8) asks the same, of links without RTEXT_FILTER_VF.
    [Fact]
    public void Write_Requests_AreLiteralBytes()
    {
        Assert.Equal(Hex.Text("28000000 1200 0103 00000000 00000000 00000000 00000000 00000000 00000000 0800 1d00 08000000"), Hex.Text(
            DumpMessages.WriteGetLinks(Buffer)));
        Assert.Equal(
            Hex.Text("18000000 1600 0103 00000000 00000000 02000000 00000000"), Hex.Text(DumpMessages.WriteGetAddresses(Buffer, AF_INET)));
        Assert.Equal(Hex.Text("1c000000 1a00 0103 00000000 00000000 0a000000 00000000 00000000"), Hex.Text(
            DumpMessages.WriteGetRoutes(Buffer, AF_INET6)));
        Assert.Equal(Hex.Text("1c000000 2200 0103 00000000 00000000 02000000 00000000 00000000"), Hex.Text(
            DumpMessages.WriteGetRules(Buffer, AF_INET)));
        Assert.Equal(Hex.Text("1c000000 5200 0500 00000000 00000000 02000000 0800 0100 ffffffff"), Hex.Text(
            DumpMessages.WriteGetForwarding(Buffer, AF_INET)));
    }

    private const int NetlinkHeaderSize = 16;

    private delegate T Reader<T>(in NetlinkMessage message);

    private static List<T> Read<T>(string kind, Reader<T> read) =>
        [.. Messages.Where(message => message.Kind == kind).Select(message => Parse(message.Message, read))];

    private static T Parse<T>(byte[] bytes, Reader<T> read)
    {
        var reader = new NetlinkReader(bytes);
        Assert.True(reader.TryReadMessage(out var message));
        return read(message);
    }
}
