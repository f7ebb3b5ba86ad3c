using System.Net;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>Connections of every kind there is in a cluster, again and again with other ends.</summary>
internal sealed class CniTraffic(CniCluster cluster, TimeSpan patience)
{
    // So many at a time: where none succeeds, this many wait together.
    private const int AtOnce = 40;

    private static readonly IPEndPoint Service = new(ServiceRules.ClusterIP, ServiceRules.Port);

    /// <summary>Makes connections.</summary>
    /// <param name="count">Of each kind.</param>
    /// <param name="token">Gives up.</param>
    /// <returns>How many failed, of how many.</returns>
    public async Task<IReadOnlyDictionary<CniPath, (int Failed, int Of)>> RunAsync(int count, CancellationToken token)
    {
        var results = new Dictionary<CniPath, (int Failed, int Of)>();
        foreach (var path in Enum.GetValues<CniPath>())
        {
            var failed = 0;
            var ends = Ends(path).ToList();
            var limit = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = token };
            await Parallel.ForAsync(0, count, limit, async (i, stop) =>
            {
                var (from, to) = ends[i % ends.Count];
                if (!await EchoClient.ExchangeAsync(from, to, Content(path), patience, stop))
                {
                    Interlocked.Increment(ref failed);
                }
            });
            results[path] = (failed, count);
        }

        return results;
    }

    /// <summary>Waits until a pod of every node reaches every steady pod, as after the start of silos.</summary>
    /// <returns>Whether they do.</returns>
    public async Task<bool> UntilReachedAsync(TimeSpan limit, CancellationToken token)
    {
        var reached = await Task.WhenAll(
            from node in CniPlan.Mesh.Nodes
            let first = cluster.Of(node).First()
            from other in cluster.Steady
            select EchoClient.ReachAsync(first.Namespace, At(other), limit, TimeProvider.System, token));
        return reached.All(pod => pod.After is not null);
    }

    /// <summary>Where a pod answers.</summary>
    public static IPEndPoint At(CniPod pod) => new(pod.Address, CniPlan.PodPort);

    private static IPEndPoint NodePort(NodePlan node) => new(node.Address, ServiceRules.NodePort);

    private static byte[] Content(CniPath path) => path switch
    {
        CniPath.PodToPod or CniPath.PodToService => WireTally.PodContent,
        CniPath.PodToNodePort => WireTally.NodeContent,
        _ => WireTally.HostContent,
    };

    private IEnumerable<(string? From, IPEndPoint To)> Ends(CniPath path) => path switch
    {
        CniPath.PodToPod =>
            from pod in cluster.Steady from other in cluster.Steady where pod.Node != other.Node select ((string?)pod.Namespace, At(other)),
        CniPath.PodToOwnNode => cluster.Steady.Select(pod => ((string?)pod.Namespace, new IPEndPoint(pod.Node.Address, CniPlan.PodPort))),
        CniPath.NodeToOwnPod => cluster.Steady.Select(pod => ((string?)pod.Node.Namespace, At(pod))),
        CniPath.NodeToPod =>
            from node in CniPlan.Mesh.Nodes from pod in cluster.Steady where pod.Node != node select ((string?)node.Namespace, At(pod)),
        CniPath.NodeToService => WithoutBackends.Select(node => ((string?)node.Namespace, Service)),
        CniPath.PodToService => WithoutBackends.SelectMany(cluster.Of).Select(pod => ((string?)pod.Namespace, Service)),
        CniPath.OutsideToNodePort => WithoutBackends.Select(node => ((string?)null, NodePort(node))),
        _ =>
            from node in WithoutBackends
            from pod in cluster.Of(node)
            from other in CniPlan.Others(node)
            select ((string?)pod.Namespace, NodePort(other)),
    };

    private IEnumerable<NodePlan> WithoutBackends => CniPlan.Mesh.Nodes.Where(node => cluster.Backends.All(pod => pod.Node != node));
}
