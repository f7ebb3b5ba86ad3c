using System.Diagnostics;
using Orleans.WireGuard.LocalMesh.ApiServer;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// What <c>make demo-kubernetes</c> is made of: the API server as a program, machines, and silos that follow node objects.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class KubernetesDemoTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Demo_NodeObjectsCreatedAndDeleted_NodesJoinAndLeave()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var plan = new MeshPlan("owgd", 3, 107, 251);
        await using var mesh = await MeshHarness.CreateAsync(
            plan, MeshState.For(plan), TimeProvider.System, TestContext.Current.SendDiagnosticMessage, Token);
        mesh.InstallBinary(LocalMeshCollection.Binary);
        await using var cluster = await KubernetesMeshBuilder.CreateAsync(
            mesh, kubeConfig: null, TimeSpan.FromSeconds(10), TimeProvider.System, Token);
        var keeper = new SiloKeeper(
            mesh, cluster.Objects, cluster.Configure, TimeProvider.System, TestContext.Current.SendDiagnosticMessage);
        var starter = new MeshStarter(mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage);
        var (first, second, third) = (plan.Nodes[0], plan.Nodes[1], plan.Nodes[2]);

        // Two of three machines are nodes.
        await cluster.Objects.AddAsync(plan, first, Token);
        await cluster.Objects.AddAsync(plan, second, Token);
        await keeper.KeepAsync(Token);
        await starter.WaitReadyAsync([first, second], Token);
        Assert.Null(mesh.Silo(third));
        Assert.Equal(1, await PeersAsync(mesh, first));

        // The third becomes one.
        await cluster.Objects.AddAsync(plan, third, Token);
        await keeper.KeepAsync(Token);
        await starter.WaitReadyAsync(plan.Nodes, Token);
        await using var probes = new MeshProbes(mesh, TimeProvider.System);
        Assert.Empty(await probes.WaitReachableAsync(TimeProvider.System.GetUtcNow(), Patience, Token));
        await Assert.ThrowsAsync<MeshFailedException>(() => cluster.Objects.AddAsync(plan, third, Token));

        // The second ceases to be one: the others drop its peer, and its silo ends.
        Assert.True(await cluster.Objects.DeleteAsync(second.Name, Token));
        Assert.False(await cluster.Objects.DeleteAsync(second.Name, Token));
        await keeper.KeepAsync(Token);
        Assert.True(await mesh.Silo(second)!.WaitForExitAsync(Patience, TimeProvider.System, Token), "its silo goes on");
        var began = Stopwatch.GetTimestamp();
        while (await PeersAsync(mesh, first) != 1 || await PeersAsync(mesh, third) != 1)
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Patience, "the others keep the peer of a node that is gone");
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
        }

        await starter.WaitReadyAsync([first, third], Token);
    }

    private static Task<int> PeersAsync(MeshHarness mesh, NodePlan node) => KubernetesMesh.PeersAsync(mesh, node);
}
