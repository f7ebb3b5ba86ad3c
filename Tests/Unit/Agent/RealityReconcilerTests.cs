using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>What the agent makes of the counters of links and of what netfilter saw of them.</summary>
public sealed class RealityReconcilerTests
{
    private const string Underlay = "eth0";
    private const int Packets = 500;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // Small packets are told only where a link counts nothing else: neither a bond, nor any link beside a tunnel in user space.
    [Theory]
    [InlineData("", "dummy", 98, true)]
    [InlineData("bond", "dummy", 98, false)]
    [InlineData("", "tun", 98, false)]
    [InlineData("bond", "tun", 1400, true)]
    public async Task Run_PacketsPastNetfilter_AreFoundAndMakeAStrictNodeUnready(string kind, string otherKind, int size, bool isFound)
    {
        await using var mesh = Mesh(kind, otherKind);
        await mesh.Pass.RunAsync(true, Token);
        await SendAsync(mesh, size, 0, isSeen: false);
        Assert.Empty((await SendAsync(mesh, size, 1, isSeen: false)).Findings);
        var result = await SendAsync(mesh, size, 2, isSeen: false);
        Assert.Equal(isFound, result.Findings.Any(finding => finding is { Code: FindingCode.SentPastNetfilter, Subject: Underlay }));
        Assert.Equal(isFound, result.Witness!.IsPartial);
        Assert.Equal(isFound, result.Problem.ToText()?.Contains("OWG313", StringComparison.Ordinal) ?? false);
        Assert.Equal(
            isFound ? (NodeProblemCode.StrictBroken, FindingCode.SentPastNetfilter) : (null, null),
            ((NodeProblemCode?)result.Problem?.Code, (FindingCode?)result.Problem?.Finding?.Code));
    }

    [Fact]
    public async Task Run_EverythingIsSeen_IsNoFinding()
    {
        await using var mesh = Mesh("", "dummy");
        await mesh.Pass.RunAsync(true, Token);
        for (var i = 0; i < 4; i++)
        {
            var result = await SendAsync(mesh, 1400, i, isSeen: true);
            Assert.Empty(result.Findings);
            Assert.False(result.Witness!.IsPartial);
        }
    }

    // The counters of the new table begin at zero and are soon above what those of the former one were.
    [Fact]
    public async Task Run_TableIsMadeAnew_IsABeginning()
    {
        await using var mesh = Mesh("", "dummy");
        await mesh.Pass.RunAsync(true, Token);
        await SendAsync(mesh, 98, 0, isSeen: false);
        for (var i = 1; i < 5; i++)
        {
            mesh.Witness.State = null;
            Assert.Empty((await SendAsync(mesh, 98, i, isSeen: false)).Findings);
            Assert.Empty((await SendAsync(mesh, 98, i, isSeen: false)).Findings);
        }
    }

    // A link that is not there right now must not begin in clear when it comes back; the setting ends it.
    [Fact]
    public async Task Run_PacketRulesOfAFormerProcess_GoOn()
    {
        await using var mesh = Mesh("", "dummy");

        // A node whose silo is down; the other one's speaks as former releases do, and is spared.
        mesh.Roster.Set(TestMesh.Roster(1, 2, 3));
        var table = mesh.Links.At(mesh.Links.Table.OfEncapsulated);
        var (rule, refusal) = (
            new PacketRule(table.Table, OuterPacket.Udp(8472), IsIPv6: false), Route.Unreachable(IPPrefix.Host(TestMesh.Address(3))));
        await table.ReplaceRouteAsync(refusal, Token);
        await table.AddPacketRuleAsync(rule, Token);
        Assert.Equal([Encapsulation.Udp(8472)], (await mesh.Pass.RunAsync(true, Token)).Snapshot.Encapsulations);
        Assert.Equal([rule], await table.GetPacketRulesAsync(Token));
        Assert.Contains(refusal, await table.GetRoutesAsync(Token));
        Assert.Equal([OuterPacket.Udp(8472)], mesh.Firewall.State!.Packets);

        mesh.Encryption.CurrentValue.Encapsulation = "Off";
        Assert.Equal([], (await mesh.Pass.RunAsync(true, Token)).Snapshot.Encapsulations!.Value);
        Assert.Empty(await table.GetPacketRulesAsync(Token));
        Assert.Empty(await table.GetRoutesAsync(Token));
        Assert.Equal([], mesh.Firewall.State!.Packets);
    }

    private static AgentHarness Mesh(string kind, string otherKind)
    {
        var mesh = new AgentHarness(2).Settled(2);
        mesh.Encryption.CurrentValue.Mode = EncryptionMode.Strict;
        mesh.Dump.Current = FakeNetworkDump.Bare with
        {
            Links =
            [
                new LinkEntry(Underlay, FakeLinkClient.UnderlayIndex, kind, 1500, IsUp: true),
                new LinkEntry("other", 7, otherKind, 1500, IsUp: true),
            ],
        };
        return mesh;
    }

    // So many packets more have been sent, and netfilter has seen them or has not.
    private static async Task<AgentSnapshot> SendAsync(AgentHarness mesh, int size, int times, bool isSeen)
    {
        var packets = (long)Packets * times;
        mesh.Links.SetTraffic(Underlay, new LinkTraffic(0, packets, packets * size));
        var seen = isSeen ? (ulong)packets : 0;
        mesh.Witness.Seen = [new LinkCount(FakeLinkClient.UnderlayIndex, seen, seen * (ulong)size)];
        mesh.Time.Advance(BlindSpots.Window);
        return (await mesh.Pass.RunAsync(true, Token)).Snapshot;
    }
}
