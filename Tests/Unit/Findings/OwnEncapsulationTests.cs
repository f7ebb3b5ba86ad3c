using System.Net;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Tests.Unit.Findings;

/// <summary>What of a node's traffic is packed, by its links or by the setting.</summary>
public sealed class OwnEncapsulationTests
{
    private static readonly LinkEntry Flannel = new("flannel.1", 7, "vxlan", 1450, IsUp: true) { EncapsulationPort = 8472 };
    private static readonly LinkEntry Program = new("genev_sys_6081", 8, "geneve", 1450, IsUp: true)
    {
        EncapsulationPort = 6081,
        IsMetadata = true,
    };

    [Fact]
    public void Find_Auto_AreThePortsOfLinksThatAreUp()
    {
        Assert.Equal(([Encapsulation.Udp(8472)], false), Find("Auto", Flannel));
        Assert.Equal(([Encapsulation.Udp(6081), Encapsulation.Udp(8472)], true), Find("auto", Program, Flannel));
        Assert.Equal(([], false), Find("Auto", Flannel with { IsUp = false }));
    }

    // The tunnels themselves go through such a link, or have its port: leading its packets into a tunnel would be a circle.
    [Fact]
    public void Find_Auto_LeavesWhatTheTunnelsStandOn()
    {
        Assert.Equal(([], false), Find("Auto", Flannel with { Index = 2 }));
        Assert.Equal(([], false), Find("Auto", Flannel with { EncapsulationPort = 51871 }));
        Assert.Equal(([], false), Find("51871"));
    }

    [Fact]
    public void Find_Named_IsWhole()
    {
        Assert.Equal(([Encapsulation.IPInIP, Encapsulation.Udp(8472)], true), Find("8472, ipip"));
        Assert.Equal(([], false), Find("Off", Program));
    }

    // A link that its data plane makes anew must not send in clear until somebody looks again.
    [Fact]
    public void Find_LinkGone_KeepsThePortUntilTheSettingSaysOff()
    {
        var known = Own("Auto", null, Program);
        Assert.Equal(([Encapsulation.Udp(6081)], true), Text(Own("Auto", known)));
        Assert.Equal(([], false), Text(Own("Off", known)));
    }

    // Another data plane with the same port, and a setting that somebody tried.
    [Fact]
    public void Find_AnotherLinkOrSetting_IsNotWholeForEver()
    {
        var known = Own("Auto", null, Program);
        var plain = Program with { IsMetadata = false };
        Assert.Equal(([Encapsulation.Udp(6081)], false), Text(Own("Auto", known, plain)));
        Assert.Equal(([Encapsulation.Udp(8472)], false), Text(Own("Auto", Own("1, 2, 3, 4", null), Flannel)));
    }

    [Fact]
    public void Find_Unpacking_AreTheLinksOfWhatIsLed()
    {
        var tunnel = new LinkEntry("tunl0", 9, "ipip", 1480, IsUp: true);
        Assert.Equal(["flannel.1", "tunl0"], Own("8472, ipip", null, Program, Flannel, tunnel).Unpacking);
        Assert.Equal(["genev_sys_6081"], Own("6081", null, Program, Flannel, tunnel).Unpacking);
        Assert.False(Own("6081", null, Program).HasIPv6);
    }

    [Fact]
    public void Find_TooMany_KeepsThoseOfPods()
    {
        var links = Enumerable.Range(1, 4).Select(port => Flannel with { EncapsulationPort = (ushort)port }).Append(Program).ToArray();
        Assert.Equal(
            ([Encapsulation.Udp(1), Encapsulation.Udp(2), Encapsulation.Udp(3), Encapsulation.Udp(6081)], true), Find("Auto", links));
    }

    [Fact]
    public void Find_Sources_AreAddressesThatThisNodeHas() =>
        Assert.Equal([IPAddress.Parse("192.168.0.1")], Own("Auto", null, Flannel).Sources);

    private static (EquatableArray<Encapsulation> Packets, bool IsWhole) Find(string setting, params LinkEntry[] links) =>
        Text(Own(setting, null, links));

    private static (EquatableArray<Encapsulation> Packets, bool IsWhole) Text(OwnEncapsulation own) => (own.Packets, own.IsWhole);

    private static OwnEncapsulation Own(string setting, OwnEncapsulation? former, params LinkEntry[] links) => OwnEncapsulation.Find(
        EncapsulationChoice.TryParse(setting)!,
        new NetworkDump(
            [.. links], [new AddressEntry(2, IPAddress.Parse("192.168.0.1"), 24)], [], [], new ForwardingEntry(IsIPv6: true, 0)),
        new HashSet<int> { 2 },
        [51871, 51872],
        [IPAddress.Parse("fd00::1"), IPAddress.Parse("192.168.0.7"), IPAddress.Parse("192.168.0.1")],
        former);
}
