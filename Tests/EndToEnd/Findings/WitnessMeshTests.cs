using Orleans.WireGuard.LocalMesh.Bench;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Findings;

/// <summary>A mesh of two nodes in which nothing rotates.</summary>
public sealed class WitnessMeshFixture() : QuietMeshFixture(new MeshPlan("owgy", 2, 120, 240));

/// <summary>The witness of a silo that runs: it sees no plaintext where there is none, and follows the links of its node.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class WitnessMeshTests(WitnessMeshFixture fixture, ITestOutputHelper output) : IClassFixture<WitnessMeshFixture>
{
    private static readonly TimeSpan FollowLimit = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan ReachLimit = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TimeProvider Time => TimeProvider.System;

    private NodePlan Node => fixture.Mesh.Plan.Nodes[0];

    // A million: make bench-witness.
    [Fact]
    public async Task Packets_InTheTunnel_AreNoneInClear()
    {
        const int Packets = 100_000;
        LocalMeshCollection.SkipUnlessPossible();
        await fixture.Starter.WaitReadyAsync(fixture.Mesh.Plan.Nodes, Token);
        await UntilPodsReachAsync();
        var before = await TunnelFlood.ReadWitnessAsync(fixture.Mesh, Node, Token);
        var answered = await TunnelFlood.SendAsync(fixture.Mesh, Packets, Token);
        var after = await TunnelFlood.ReadWitnessAsync(fixture.Mesh, Node, Token);
        output.WriteLine(
            $"{answered} requests answered; {string.Join(", ", after.Select(counter => $"{counter.Key} {counter.Value - before[counter.Key]}"))}");

        Assert.True(answered > Packets / 2 * 0.99, $"{answered} requests were answered");
        Assert.All(after.Where(counter => counter.Key.Contains("clear", StringComparison.Ordinal)), counter => Assert.Equal(
            before[counter.Key], counter.Value));

        // An answer leaves for each request that arrived, and a request for each answer.
        Assert.InRange(after["tunnel"] - before["tunnel"], answered, answered * 2L);
        Assert.InRange(after["arrived_tunnel"] - before["arrived_tunnel"], answered, answered * 2L);
    }

    [Fact]
    public async Task LinkThatEncapsulates_MadeChangedAndDeleted_IsFollowed()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await fixture.Starter.WaitReadyAsync(fixture.Mesh.Plan.Nodes, Token);
        await RunAsync("ip link add vx9 type vxlan id 9 dev eth0 dstport 4790 && ip link set vx9 up");
        await UntilTableAsync("made", table => table.Contains("vxlan 4790", StringComparison.Ordinal));

        await RunAsync("ip link delete vx9 && ip link add vx9 type vxlan id 9 dev eth0 dstport 4791 && ip link set vx9 up");
        await UntilTableAsync("given another port", table => table.Contains("vxlan 4791", StringComparison.Ordinal)
            && !table.Contains("4790", StringComparison.Ordinal));

        await RunAsync("ip link delete vx9");
        await UntilTableAsync("deleted", table => !table.Contains("vxlan", StringComparison.Ordinal));
        await fixture.Starter.WaitReadyAsync(fixture.Mesh.Plan.Nodes, Token);
    }

    [Fact]
    public async Task LinkToThePeers_RenamedAndBack_IsFollowedAndCountedOn()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await fixture.Starter.WaitReadyAsync(fixture.Mesh.Plan.Nodes, Token);
        await UntilPodsReachAsync();
        var before = await TunnelFlood.ReadWitnessAsync(fixture.Mesh, Node, Token);
        await RunAsync("ip link set eth0 down && ip link set eth0 name uplink7 && ip link set uplink7 up");
        await UntilTableAsync("renamed", table => table.Contains("device \"uplink7\"", StringComparison.Ordinal));
        await UntilPodsReachAsync();
        await RunAsync("ip link set uplink7 down && ip link set uplink7 name eth0 && ip link set eth0 up");
        await UntilTableAsync("renamed back", table => table.Contains("device \"eth0\"", StringComparison.Ordinal));
        await UntilPodsReachAsync();

        var after = await TunnelFlood.ReadWitnessAsync(fixture.Mesh, Node, Token);
        output.WriteLine(string.Join(", ", after.Select(counter => $"{counter.Key} {before[counter.Key]} to {counter.Value}")));
        Assert.All(after, counter => Assert.True(
            counter.Value >= before[counter.Key], $"{counter.Key} went from {before[counter.Key]} to {counter.Value}"));
        Assert.Equal(before["clear"], after["clear"]);
        await fixture.Starter.WaitReadyAsync(fixture.Mesh.Plan.Nodes, Token);
    }

    private async Task RunAsync(string line) => (await fixture.Mesh.RunAsync(Node, Token, "sh", "-c", line)).EnsureSuccess();

    private async Task UntilTableAsync(string what, Func<string, bool> isRight)
    {
        var started = Time.GetTimestamp();
        string table;
        while (!isRight(table = (await fixture.Mesh.RunAsync(Node, Token, "nft", "list", "table", "netdev", "orleans_wireguard")).Output))
        {
            Assert.True(Time.GetElapsedTime(started) < FollowLimit, $"The link was {what}; the table is\n{table}");
            await Task.Delay(TimeSpan.FromMilliseconds(100), Time, Token);
        }

        output.WriteLine($"{what}: followed after {Time.GetElapsedTime(started).TotalSeconds:0.0} s");
    }

    private async Task UntilPodsReachAsync()
    {
        var started = Time.GetTimestamp();
        foreach (var (from, to) in fixture.Mesh.Plan.OrderedPairs)
        {
            while ((await LocalMesh.Processes.Command.RunAsync(
                "ip", ["netns", "exec", from.PodNamespace, "ping", "-c", "1", "-W", "1", to.PodAddress.ToString()], Token)).ExitCode != 0)
            {
                Assert.True(Time.GetElapsedTime(started) < ReachLimit, await fixture.DescribeAsync(Token));
            }
        }
    }
}
