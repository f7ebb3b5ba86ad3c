using CsCheck;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>
/// Whether packets of our pods really take the ways that our routes mean, by the agent against a system that has other rules and routes
/// too.
/// </summary>
public sealed class WayRulesTests
{
    private const string Name = "cilium_wg0";
    private const uint Main = 254;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // As a VPN client sets it: whatever of the main table is no default route decides before.
    private static readonly RuleEntry BeforeOurs = new(IsIPv6: false, 105, Main, FR_ACT_TO_TBL) { SuppressedLength = 0 };

    [Fact]
    public async Task Run_NothingElseRoutes_IsNoProblem()
    {
        await using var mesh = Strict(2, 3);
        mesh.Links.MainRoutes[TestMesh.PodCIDR(2)] = "eth0";
        mesh.Links.MainRoutes[IPPrefix.Parse("0.0.0.0/0")] = "eth0";
        mesh.Links.OtherRules.Add(new RuleEntry(IsIPv6: false, 300, Main, FR_ACT_TO_TBL));
        Assert.Null((await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem);
    }

    [Theory]
    [InlineData(EncryptionMode.Strict)]
    [InlineData(EncryptionMode.Permissive)]
    public async Task Run_RuleBeforeOurs_IsAProblemThatNamesDestinationWayAndRule(EncryptionMode mode)
    {
        await using var mesh = Strict(2, 3);
        mesh.Encryption.CurrentValue.Mode = mode;
        await mesh.Pass.RunAsync(true, Token);
        mesh.Links.OtherRules.Add(BeforeOurs);
        mesh.Links.MainRoutes[TestMesh.PodCIDR(2)] = "eth0";
        Assert.True(await mesh.Pass.HasChangedAsync(KernelNews.Ways, Token));
        Assert.Equal(
            "packets of this node's pods to 10.0.2.0/24 (node-2) leave through eth0 instead of a tunnel: "
            + "rule '105: from all lookup main suppress_prefixlength 0' decides before ours, which has priority 201; "
            + "see 'ip route get 10.0.2.2 from 10.0.1.254 iif veth0'",
            (await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem);
        Assert.False(await mesh.Pass.HasChangedAsync(KernelNews.Ways, Token));

        // It is asked again in every pass, and gone as soon as the rule is.
        mesh.Links.OtherRules.Clear();
        Assert.Null((await mesh.Pass.RunAsync(false, Token)).Snapshot.Problem);
    }

    [Fact]
    public async Task Run_NoTunnelAndARuleBeforeOurs_IsAProblemInStrictModeAlone()
    {
        await using var mesh = Strict(2, 3);
        mesh.Store.ForgetAbsent(TestMesh.Roster(1, 2));
        mesh.Links.OtherRules.Add(BeforeOurs);
        mesh.Links.MainRoutes[TestMesh.PodCIDR(3)] = "eth0";
        Assert.Contains("10.0.3.0/24 (node-3) leave through eth0 although there is no tunnel", (await mesh.Pass.RunAsync(
            true, Token)).Snapshot.Problem, StringComparison.Ordinal);
        mesh.Encryption.CurrentValue.Mode = EncryptionMode.Permissive;
        Assert.Null((await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem);
    }

    [Fact]
    public async Task Run_RefusedBeforeOurs_IsAProblem()
    {
        await using var mesh = Strict(2);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Links.OtherRules.Add(new RuleEntry(IsIPv6: false, 90, Main, FR_ACT_TO_TBL) { Destination = IPPrefix.Parse("10.0.0.0/16") });
        mesh.Links.MainRoutes[IPPrefix.Parse("10.0.0.0/16")] = "";
        var problem = (await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem;
        Assert.Contains(
            "are refused although there is a tunnel: rule '90: from all to 10.0.0.0/16 lookup main'", problem, StringComparison.Ordinal);
    }

    // A node without pods, or a system that does not believe the source, is no reason for an alarm.
    [Fact]
    public async Task Run_NoPodAndNobodyKnows_IsNoProblem()
    {
        await using var mesh = Strict(2);
        mesh.Links.PodLink = _ => null;
        Assert.Null((await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem);
        Assert.Equal(Name, mesh.Links.Questions[0].From.LinkName);
        mesh.Links.Answer = _ => Way.Unknown;
        Assert.Null((await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem);
    }

    // At rest nothing is asked between two resyncs; a node that joins is asked about alone.
    [Fact]
    public async Task Run_NothingNew_AsksNothing()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        var asked = mesh.Links.CountOf(nameof(ILinkClient.FindWaysAsync));
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(asked, mesh.Links.CountOf(nameof(ILinkClient.FindWaysAsync)));
        mesh.Announce(3);
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal([PodAddress.Remote(TestMesh.PodCIDR(3))], mesh.Links.Questions.Select(question => question.Destination));
    }

    // Whatever rules and routes others add: a problem is said exactly if a packet takes a way that is none of ours.
    [Fact]
    public Task Inspect_AnyRulesAndRoutes_SaysWhatPacketsDo() => Gen.Select(
        Gen.Select(Gen.UInt[1, 400], Gen.Int[0, 4], Gen.Bool).Array[0, 4], Gen.Select(Gen.Int[0, 5], Gen.Int[8, 32]).Array[0, 4])
            .SampleAsync(async (rules, routes) =>
    {
        await using var mesh = Strict(2, 3);
        foreach (var (priority, source, isSuppressed) in rules)
        {
            mesh.Links.OtherRules.Add(new RuleEntry(IsIPv6: false, priority, Main, FR_ACT_TO_TBL)
            {
                Source = source == 0 ? null : TestMesh.PodCIDR(source),
                SuppressedLength = isSuppressed ? 0 : null,
            });
        }

        foreach (var (node, length) in routes)
        {
            mesh.Links.MainRoutes[IPPrefix.Host(PodAddress.Remote(TestMesh.PodCIDR(node))).Shorten(length)] = node % 2 == 0 ? "eth0" : Name;
        }

        var problem = (await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem;
        var from = new PodLink("veth0", PodAddress.Of(TestMesh.PodCIDR(1)));
        var ways = await mesh.Links.FindWaysAsync(
            [.. new[] { 2, 3 }.Select(node => new WayQuestion(from, PodAddress.Remote(TestMesh.PodCIDR(node))))], Token);
        Assert.Equal(ways.Any(way => way.LinkName != Name), problem is not null);
        foreach (var (node, way) in new[] { 2, 3 }.Zip(ways).Where(pair => pair.Second.LinkName != Name))
        {
            Assert.Contains(TestMesh.PodCIDR(node).ToString(), problem, StringComparison.Ordinal);
        }
    });

    [Theory]
    [InlineData("10.0.1.0/24", "10.0.1.254", "10.0.1.2")]
    [InlineData("10.0.1.7/32", "10.0.1.7", "10.0.1.7")]
    [InlineData("10.0.1.6/31", "10.0.1.7", "10.0.1.7")]
    [InlineData("10.0.1.4/30", "10.0.1.6", "10.0.1.6")]
    [InlineData("fd00:244:1::/64", "fd00:244:1:0:ffff:ffff:ffff:fffe", "fd00:244:1::2")]
    [InlineData("fd00:244:1::7/128", "fd00:244:1::7", "fd00:244:1::7")]
    public void Of_Prefix_IsAnAddressOfAPod(string prefix, string own, string remote)
    {
        Assert.Equal(own, PodAddress.Of(IPPrefix.Parse(prefix)).ToString());
        Assert.Equal(remote, PodAddress.Remote(IPPrefix.Parse(prefix)).ToString());
    }

    [Fact]
    public void Of_TakenByTheNode_IsAnother() =>
        Assert.Equal("10.0.1.253", PodAddress.Of(IPPrefix.Parse("10.0.1.0/24"), System.Net.IPAddress.Parse("10.0.1.254")).ToString());

    private static AgentHarness Strict(params int[] others)
    {
        var mesh = new AgentHarness(others).Settled(others);
        mesh.Encryption.CurrentValue.Mode = EncryptionMode.Strict;
        return mesh;
    }
}
