using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The topology itself, without silos: it comes up closed, goes without a trace, and survives a crash of its maker.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class LocalTopologyTests
{
    private static readonly MeshPlan Plan = MeshPlan.Test(2);
    private static readonly MeshState State = MeshState.For(Plan);

    [Fact]
    public async Task Create_TwoNodes_ReachEachOtherOnTheUnderlayButNotTheirPods()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var token = TestContext.Current.CancellationToken;
        await using (var mesh = await MeshHarness.CreateAsync(
            Plan, State, TimeProvider.System, TestContext.Current.SendDiagnosticMessage, token))
        {
            Assert.Equal(0, (await PingAsync(mesh, Plan.Nodes[1].Address, token)).ExitCode);
            Assert.NotEqual(0, (await PingAsync(mesh, Plan.Nodes[1].PodAddress, token)).ExitCode);

            await mesh.Topology.AddPlainRoutesAsync(token);
            Assert.Equal(0, (await PingAsync(mesh, Plan.Nodes[1].PodAddress, token)).ExitCode);
            await mesh.Topology.RemovePlainRoutesAsync(token);
            Assert.NotEqual(0, (await PingAsync(mesh, Plan.Nodes[1].PodAddress, token)).ExitCode);
        }

        Assert.Empty(await new TopologyRemover(Plan, State, TimeProvider.System).FindAsync(token));
    }

    [Fact]
    public async Task Create_Node_SeesItsOwnSocketsAndLinksOnly()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var token = TestContext.Current.CancellationToken;
        await using var mesh = await MeshHarness.CreateAsync(
            Plan, State, TimeProvider.System, TestContext.Current.SendDiagnosticMessage, token);

        await mesh.RunAsync(Plan.Nodes[0], token, "touch", TopologyBuilder.SocketDirectory + "/only-here");

        Assert.Equal("only-here\n", (await mesh.RunAsync(Plan.Nodes[0], token, "ls", TopologyBuilder.SocketDirectory)).Output);
        Assert.Equal("", (await mesh.RunAsync(Plan.Nodes[1], token, "ls", TopologyBuilder.SocketDirectory)).Output);
        Assert.False(File.Exists(TopologyBuilder.SocketDirectory + "/only-here"));
        Assert.Equal("eth0\nlo\npod0\n", (await mesh.RunAsync(Plan.Nodes[0], token, "ls", "/sys/class/net")).Output);
    }

    [Fact]
    public async Task Create_AfterACrash_RemovesWhatWasLeftAndNothingElse()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var token = TestContext.Current.CancellationToken;

        // A maker that died: its topology, a process inside and one outside, of more nodes than the next run has.
        var larger = MeshPlan.Test(3);
        Directory.CreateDirectory(State.Directory);
        MeshLock.WriteOwner(State);
        await new TopologyBuilder(larger, State).CreateAsync(token);
        var recorder = new ProcessRecorder(State.ProcessFile);
        var log = Path.Combine(State.Directory, "left.log");
        var inside = recorder.Start(NamespaceCommand.InNode(State, larger.Nodes[2], "sleep", "300"), log);
        var outside = recorder.Start(["sleep", "300"], log);
        using var stranger = System.Diagnostics.Process.Start("sleep", "300");
        try
        {
            var reports = new List<string>();
            await using (await MeshHarness.CreateAsync(Plan, State, TimeProvider.System, reports.Add, token))
            {
                Assert.Contains("owgt-node-3", Assert.Single(reports), StringComparison.Ordinal);
                Assert.False(inside.IsAlive);
                Assert.False(outside.IsAlive);
                Assert.False(stranger.HasExited);
                Assert.False(File.Exists(NetworkNamespace.HandleOf("owgt-node-3")));
            }

            Assert.Empty(await new TopologyRemover(larger, State, TimeProvider.System).FindAsync(token));
        }
        finally
        {
            stranger.Kill();
        }
    }

    [Fact]
    public async Task Create_WhileAnotherIsRunning_SaysSoAndTouchesNothing()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var token = TestContext.Current.CancellationToken;
        await using var mesh = await MeshHarness.CreateAsync(
            Plan, State, TimeProvider.System, TestContext.Current.SendDiagnosticMessage, token);

        var error = await Assert.ThrowsAsync<MeshInUseException>(() =>
            MeshHarness.CreateAsync(Plan, State, TimeProvider.System, TestContext.Current.SendDiagnosticMessage, token));

        Assert.Contains($"process {Environment.ProcessId}", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, (await PingAsync(mesh, Plan.Nodes[1].Address, token)).ExitCode);
    }

    [Fact]
    public async Task Create_DirectoryOfSomeoneElse_IsRefusedAndKept()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var directory = Directory.CreateTempSubdirectory("owg-not-a-mesh");
        var precious = Path.Combine(directory.FullName, "precious");
        await File.WriteAllTextAsync(precious, "", TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<MeshFailedException>(() => MeshHarness.CreateAsync(
            Plan, new MeshState(directory.FullName), TimeProvider.System,
            TestContext.Current.SendDiagnosticMessage, TestContext.Current.CancellationToken));

        Assert.True(File.Exists(precious));
        directory.Delete(recursive: true);
    }

    [Fact]
    public async Task Create_Cancelled_LeavesNothing()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var token = TestContext.Current.CancellationToken;
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(30), TimeProvider.System);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await using var mesh = await MeshHarness.CreateAsync(
                MeshPlan.Test(MeshPlan.MaxNodes), State, TimeProvider.System, TestContext.Current.SendDiagnosticMessage, soon.Token);
        });

        Assert.Empty(await new TopologyRemover(Plan, State, TimeProvider.System).FindAsync(token));
    }

    private static Task<CommandResult> PingAsync(MeshHarness mesh, System.Net.IPAddress to, CancellationToken cancellationToken) =>
        mesh.RunAsync(Plan.Nodes[0], cancellationToken, "ping", "-c", "1", "-W", "3", to.ToString());
}
