using Orleans.WireGuard.LocalMesh.ApiServer;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary><c>make demo-kubernetes</c>: the demo with an API server, where nodes come and go as node objects do, until Ctrl-C.</summary>
internal sealed class KubernetesDemoCommand(LocalOptions options, TimeProvider timeProvider, TextWriter output)
{
    /// <summary>Machines beyond the nodes of the beginning, to be added.</summary>
    private const int SpareMachines = 2;

    /// <summary>Makes machines and node objects, keeps silos where there are both, and removes all of it when it is cancelled.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        var plan = MeshPlan.Demo(Math.Min(options.NodeCount + SpareMachines, MeshPlan.MaxNodes));
        var nodes = plan.Nodes.Take(options.NodeCount).ToList();
        ApiServerProcess.FindBinary();
        await Prerequisites.EnsureAsync(output, timeProvider, cancellationToken);
        var binary = options.Binary ?? await SiloBuild.PublishAsync(output, timeProvider, cancellationToken);
        Report($"Making {plan.Nodes.Count} machines, each with a pod; {nodes.Count} of them become nodes");
        await using var mesh = await MeshHarness.CreateAsync(
            plan, MeshState.For(plan, options.StateDirectory), timeProvider, Report, cancellationToken);
        try
        {
            mesh.InstallBinary(binary);
            Report(options.KubeConfig is null
                ? "Starting the test API server, and installing deploy/crds and the rights of deploy/base"
                : $"Using the cluster of {options.KubeConfig}, for a namespace, rights and Node objects that are removed at the end, and the definition of OrleansCluster, which stays");
            await using var cluster = await KubernetesMeshBuilder.CreateAsync(
                mesh, options.KubeConfig, options.Period, timeProvider, cancellationToken);
            foreach (var node in nodes)
            {
                await cluster.Objects.AddAsync(plan, node, cancellationToken);
            }

            // Once the live table is up, it alone writes to the terminal.
            var isLive = false;
            var keeper = new SiloKeeper(mesh, cluster.Objects, cluster.Configure, timeProvider, text =>
            {
                if (!isLive)
                {
                    Report(text);
                }
            });
            await keeper.KeepAsync(cancellationToken);
            await new MeshStarter(mesh, timeProvider, Report).WaitReadyAsync(nodes, cancellationToken);
            await using var probes = new MeshProbes(mesh, timeProvider);
            probes.Observer.Start();
            await using var status = new StatusPoller(mesh, timeProvider);
            var view = new DemoView(
                plan, options.Period, probes, status, timeProvider, isNode: node => mesh.Silo(node) is { IsAlive: true }, Hints(
                mesh.State, plan, nodes));
            isLive = !Console.IsOutputRedirected;
            var keeping = keeper.RunAsync(cancellationToken);
            await new DemoScreen(timeProvider, output).ShowAsync(view, cancellationToken);
            await keeping;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl-C is how a demo ends.
        }

        Report("Removing the mesh");
        return 0;

        void Report(string text) => output.WriteLine($"[{timeProvider.GetElapsedTime(start).TotalSeconds,5:0.0} s] {text}");
    }

    private static List<string> Hints(MeshState state, MeshPlan plan, List<NodePlan> nodes)
    {
        var kubectl = $"kubectl --kubeconfig {state.KubeConfig}";
        var (last, spare) = (nodes[^1], plan.Nodes.ElementAtOrDefault(nodes.Count));
        List<string> hints = [$"      {kubectl} get nodes,orleansclusters --all-namespaces"];
        if (spare is not null)
        {
            hints.Add(
                $"      {kubectl} create --validate=false -f {state.NodeObject(spare)}      (or: deploy/local/node add {spare.Name})");
        }

        hints.Add($"      {kubectl} delete node {last.Name}      (or: deploy/local/node delete {last.Name})");
        return hints;
    }
}
