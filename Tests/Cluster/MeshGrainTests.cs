using Microsoft.Extensions.DependencyInjection;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Cluster;

/// <summary>
/// What the mesh grain answers when it is asked about all nodes: where a silo is dead, where a node can run none, and where there are more
/// nodes than it tells about.
/// </summary>
public sealed class MeshGrainTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GetSnapshot_OneSiloDead_ListsItWithTheReasonAndTheOthersInAgreement()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();
        await mesh.KillAsync("node-1");

        var snapshot = await mesh.GetSnapshotAsync();

        Assert.Null(snapshot.Nodes.Single(node => node.NodeName == "node-1").Status);
        Assert.NotEmpty(snapshot.Nodes.Single(node => node.NodeName == "node-1").Problems);
        var living = snapshot.Agreements.Where(cell => cell.NodeName is "node-0" or "node-2" && cell.Holder is "node-0" or "node-2")
            .ToList();
        // Two directions, two slots.
        Assert.Equal(4, living.Count(cell => cell is { State: AgreementState.Agrees }));
        Assert.NotEmpty(mesh.HeldKeys("node-0", "node-1", Slot.Zero));
    }

    // Every node tells about every other: a question must not end the silo that it is put to.
    [Fact]
    public async Task GetSnapshot_MoreNodesThanItMayHold_IsRefusedAndAsksNobody()
    {
        await using var mesh = await MeshCluster.StartAsync(1);
        var grain = mesh.Client.GetGrain<IMeshGrain>(IMeshGrain.DefaultMesh);
        var roster = (FakeRosterSource)mesh.Services("node-0").GetRequiredService<INodeRosterSource>();
        Set(IMeshGrain.MaxSnapshotNodes);
        var snapshot = await grain.GetSnapshot(Token);
        Assert.Equal(IMeshGrain.MaxSnapshotNodes, snapshot.Nodes.Count);

        // In pages it is the same, also where a snapshot is too large for one message.
        var read = await MeshReader.ReadAsync(grain, TimeProvider.System, Token);
        Assert.Equal(snapshot.Nodes.Select(node => node.NodeName), read.Nodes.Select(node => node.NodeName));
        Assert.Equal(snapshot.Agreements.Count, read.Agreements.Count);
        Set(IMeshGrain.MaxNodes);
        Assert.Equal((100, 50), Parts(await Assert.ThrowsAsync<MeshTooLargeException>(() => grain.GetSnapshot(Token))));
        Assert.Equal(IMeshGrain.MaxNodes, (await MeshReader.ReadAsync(grain, TimeProvider.System, Token)).Nodes.Count);
        await Assert.ThrowsAsync<ArgumentException>(
            () => grain.GetNodes([.. Enumerable.Range(0, IMeshGrain.MaxAsked + 1).Select(i => $"node-{i}")], Token));

        Set(IMeshGrain.MaxNodes + 1);
        Assert.Equal((101, 100), Parts(
            await Assert.ThrowsAsync<MeshTooLargeException>(() => MeshReader.ReadAsync(grain, TimeProvider.System, Token))));
        Assert.Equal((101, 100), Parts(await Assert.ThrowsAsync<MeshTooLargeException>(() => grain.GetNodes(["node-0"], Token))));
        Assert.Equal(IMeshGrain.MaxNodes + 1, (await grain.GetNodeNames(Token)).Count);
        Assert.Equal("node-0", (await mesh.Node("node-0").GetStatus(Token)).NodeName);

        void Set(int count) => roster.Set(NodeRoster.Of(Enumerable.Range(0, count).Select(FakeRosterSource.Node)));

        static (int, int) Parts(MeshTooLargeException e) => (e.Nodes, e.MaxNodes);
    }

    // Otherwise a Windows node would make every verb fail for ever.
    [Fact]
    public async Task GetSnapshot_NodeThatCanRunNoSilo_IsNotMissedAndIsNamed()
    {
        await using var mesh = await MeshCluster.StartAsync(1);
        var grain = mesh.Client.GetGrain<IMeshGrain>(IMeshGrain.DefaultMesh);
        var roster = (FakeRosterSource)mesh.Services("node-0").GetRequiredService<INodeRosterSource>();
        roster.Set(NodeRoster.Of(
            [FakeRosterSource.Node(0), FakeRosterSource.Node(1), FakeRosterSource.Node(2) with { IsExempt = true }]));
        var snapshot = await grain.GetSnapshot(Token);
        Assert.Equal(["node-0", "node-1"], snapshot.Nodes.Select(node => node.NodeName));
        Assert.Equal(NodeProblemCode.NoSilo, snapshot.Nodes[1].Problems[0].Code);
        var addresses = snapshot.Nodes[0].Status!.Addresses!;
        Assert.Equal(1, addresses.ExemptCount);
        Assert.Equal(["node-2"], addresses.ExemptNodes);
        Assert.Contains("exempt, in clear: node-2: no silo can run there (Nodes:Exempt)", AddressText.Lines(snapshot));
    }
}
