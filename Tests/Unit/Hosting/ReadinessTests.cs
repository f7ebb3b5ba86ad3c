using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Silo.Web;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>What a probe is told of this node's place in the roster.</summary>
public sealed class ReadinessTests
{
    private static readonly RosterNode Wide = TestMesh.RosterNode(9) with { Kind = "Node", PodCIDRs = [IPPrefix.Parse("10.0.0.0/16")] };

    // A bad object somewhere must not stop a roll-out, and must not be silent either.
    [Fact]
    public async Task NodesCheck_AnotherObjectClaimsOurAddresses_IsReadyAndNamesBoth()
    {
        var (status, text) = await AskAsync(TestMesh.RosterNode(1) with { Kind = "Node" }, Wide);
        Assert.Equal(HealthStatus.Degraded, status);
        Assert.Equal("ready\nnodes: Node 'node-1' keeps its 10.0.1.0/24, which Node 'node-9' claims too with 10.0.0.0/16\n", text);
    }

    [Fact]
    public async Task NodesCheck_OurObjectClaimsWhatOthersHave_IsNotReadyAndNamesBoth()
    {
        var (status, text) = await AskAsync(
            TestMesh.RosterNode(1) with { PodCIDRs = Wide.PodCIDRs, Kind = "Node", CreatedAt = TestMesh.Start },
            TestMesh.RosterNode(2) with { Kind = "Node", CreatedAt = DateTimeOffset.UnixEpoch });
        Assert.Equal(HealthStatus.Unhealthy, status);
        Assert.Equal("nodes: 10.0.0.0/16 of Node 'node-1' overlaps 10.0.2.0/24 of Node 'node-2', which keeps it\n", text);
    }

    [Fact]
    public async Task NodesCheck_MoreAddressesThanFit_IsReadyAndSaysHowManyAreLeftOut()
    {
        var (status, text) = await AskAsync(
            TestMesh.RosterNode(1) with
            {
                Kind = "CiliumNode",
                Addresses = [.. Enumerable.Range(1, 9)
                .Select(number => new IPAddress([10, 9, 0, (byte)number]))]
            });
        Assert.Equal(HealthStatus.Degraded, status);
        Assert.Contains("ready\nnodes: CiliumNode 'node-1' has 9 addresses;", text, StringComparison.Ordinal);
        Assert.EndsWith("1 left out: 10.9.0.9\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NodesCheck_AllIsWell_IsReady() =>
        Assert.Equal((HealthStatus.Healthy, "ready\n"), await AskAsync(TestMesh.RosterNode(1), TestMesh.RosterNode(2)));

    // Whoever has an absurd clock and nobody to ask is told to be no good, by the name of the fault. Of others' clocks it is only told.
    [Fact]
    public async Task ClockCheck_OwnClockOrAnothersIsWrong_NamesTheClock()
    {
        var (time, membership) = (new WaitableTimeProvider(TestMesh.Start), new FakeMembership(1, 2));
        var clock = new MeshClock(time, TimeSpan.FromSeconds(120));
        var store = new AnnouncementStore(new FakeRosterSource(0), membership.Members, new OwnAnnouncement(), clock, time);
        var check = new ClockCheck(clock, store, new ServiceCollection().BuildServiceProvider());
        Assert.Equal((HealthStatus.Healthy, "ready\n"), await AskAsync(check));

        _ = store.Offer(TestMesh.Announce(2) with { Sequence = AnnouncementSequence.At(TestMesh.Start.AddHours(3)) });
        var (status, text) = await AskAsync(check);
        Assert.Equal(HealthStatus.Degraded, status);
        Assert.StartsWith("ready\nclock: announcements of 'node-2' are refused", text, StringComparison.Ordinal);

        time.SetBy = -TimeSpan.FromDays(20_000);
        (status, text) = await AskAsync(check);
        Assert.Equal(HealthStatus.Unhealthy, status);
        Assert.StartsWith("clock: the clock of this node says 1971-", text, StringComparison.Ordinal);
        Assert.Single(text.Trim().Split('\n'));
    }

    private static async Task<(HealthStatus Status, string Text)> AskAsync(params RosterNode[] nodes)
    {
        var roster = new FakeRosterSource(0);
        roster.Set(NodeRoster.Of(nodes));
        var membership = new FakeMembership(1, 2);
        var time = new FakeTimeProvider(TestMesh.Start);
        var store = TestMesh.Store(roster, membership, time);
        store.MarkSynced();
        var addresses = TestMesh.Addresses(store, roster, membership.Members, time);
        var report = TestMesh.Report(addresses, store, roster, membership.Members, time);
        return await AskAsync(new NodesCheck(
            roster, store, addresses, report, new OwnAnnouncement(), membership, new ServiceCollection().BuildServiceProvider()));
    }

    private static async Task<(HealthStatus Status, string Text)> AskAsync(IHealthCheck check)
    {
        var services = new ServiceCollection().AddLogging();
        services.AddHealthChecks().AddCheck("check", check);
        await using var provider = services.BuildServiceProvider();
        var report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);
        return (report.Status, Health.Describe(report));
    }
}
