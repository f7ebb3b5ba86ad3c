using System.Diagnostics;
using System.Net;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Somebody deletes the membership object while all silos run.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class ForgottenTableTests(KubernetesMesh kube, ITestOutputHelper output) : IClassFixture<KubernetesMesh>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private IReadOnlyList<NodePlan> Nodes => kube.Mesh.Plan.Nodes;

    [Fact]
    public async Task Object_DeletedWhileAllRun_OneClusterAgain()
    {
        KubernetesMesh.SkipUnlessPossible();
        await using var supervisor = new SiloSupervisor(kube.Mesh);
        var name = ObjectNames.Cluster((await kube.ConfigurationAsync(Nodes[0]))["Clustering"]!["ClusterId"]!.GetValue<string>());
        var table = $"apis/{ApiResource.OrleansClusters.ApiVersion}/namespaces/{kube.Cluster.Namespace}/orleansclusters/{name}";
        var (code, text) = await kube.Cluster.SendAsync(HttpMethod.Delete, table);
        Assert.True(code == HttpStatusCode.OK, text);
        var began = Stopwatch.GetTimestamp();
        while (Nodes.Any(node => supervisor.Restarts(node) == 0) || !await EverybodyAgreesAsync())
        {
            Assert.True(Stopwatch.GetElapsedTime(
                began) < Patience, $"The silos are no cluster again.\n{LogTail.Read(kube.Mesh.State.SiloLog(Nodes[0]))}");
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Token);
        }

        output.WriteLine($"healed after {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s, silos started again: {string.Join(", ", Nodes.Select(supervisor.Restarts))}");
        Assert.All(Nodes, node => Assert.Equal(1, supervisor.Restarts(node)));
    }

    private async Task<bool> EverybodyAgreesAsync()
    {
        foreach (var node in Nodes)
        {
            var status = await kube.Mesh.RunAsync(node, Token, "owg", "status", "--config", kube.Mesh.State.SiloConfiguration(node));
            if (status.ExitCode != 0)
            {
                return false;
            }
        }

        return true;
    }
}
