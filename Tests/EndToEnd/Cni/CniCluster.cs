using System.Collections.Concurrent;
using System.Net;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>A cluster of a kind: three nodes, their pods, a Service in front of some, and somebody who answers in each.</summary>
internal sealed class CniCluster : IAsyncDisposable
{
    private readonly CniMachine _machine;
    private readonly ConcurrentDictionary<string, EchoServer> _servers = [];
    private readonly ConcurrentDictionary<CniPod, bool> _pods = [];
    private readonly ConcurrentBag<IPAddress> _addresses = [];
    private readonly Dictionary<NodePlan, int> _slots = CniPlan.Mesh.Nodes.ToDictionary(node => node, _ => 0);
    private readonly CniFix? _off;

    private CniCluster(CniKind kind, MeshHarness mesh, CniFix? off)
    {
        (Kind, Mesh, _off) = (kind, mesh, off);
        _machine = new CniMachine(mesh);
    }

    /// <summary>What kind it is of.</summary>
    public CniKind Kind { get; }

    /// <summary>Its machines.</summary>
    public MeshHarness Mesh { get; }

    /// <summary>Where its objects are, as soon as it has silos.</summary>
    public ApiCluster? Api { get; set; }

    /// <summary>The pods that live as long as the cluster, by node and slot.</summary>
    public IReadOnlyList<CniPod> Steady { get; private set; } = [];

    /// <summary>The addresses of all pods that there ever were.</summary>
    public IEnumerable<IPAddress> Addresses => _addresses;

    /// <summary>The pods behind the Service, all on the last node.</summary>
    public IEnumerable<CniPod> Backends => Of(CniPlan.Mesh.Nodes[^1]).Take(2);

    /// <summary>Some pods of each node, between which packets are counted.</summary>
    public IReadOnlyList<MeterEndpoint> Metered => [.. CniPlan.Mesh.Nodes.SelectMany(node => Of(node).Skip(2).Take(2))
        .Select(pod => new MeterEndpoint(FormattableString.Invariant($"{pod.Node.Number}-{pod.Slot}"), pod.Namespace, pod.Address))];

    /// <summary>Makes it.</summary>
    /// <param name="kind">What kind.</param>
    /// <param name="off">What its pods undo; <see langword="null"/> for nothing.</param>
    /// <param name="report">Gets what there is to say about leftovers.</param>
    /// <param name="token">Stops it.</param>
    public static async Task<CniCluster> CreateAsync(CniKind kind, CniFix? off, Action<string> report, CancellationToken token)
    {
        var mesh = await MeshHarness.CreateAsync(CniPlan.Mesh, MeshState.For(CniPlan.Mesh), TimeProvider.System, report, token);
        var cluster = new CniCluster(kind, mesh, off);
        try
        {
            await Task.WhenAll(CniPlan.Mesh.Nodes.Select(node => cluster.RaiseAsync(node, token)));
            cluster.Steady = [.. cluster._pods.Keys.OrderBy(pod => (pod.Slot, pod.Node.Number))];
            var rules = ServiceRules.Create(kind.PodRange, kind.Services, [.. cluster.Backends.Select(pod => pod.Address)]);
            await Task.WhenAll(CniPlan.Mesh.Nodes.Select(node => CniMachine.FilterAsync(node.Namespace, rules, token)));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The steady pods of a node.</summary>
    public IEnumerable<CniPod> Of(NodePlan node) => Steady.Where(pod => pod.Node == node);

    /// <summary>Adds a pod that answers as soon as it has its address.</summary>
    public async Task<CniPod> AddAsync(NodePlan node, CancellationToken token)
    {
        var slot = _slots[node]++;
        if (Api is not null)
        {
            await Kind.AllocateAsync(Api, node, slot);
        }

        var name = CniPlan.NamespaceOf(node, slot);
        await CniMachine.CreatePodAsync(name, token);
        if (_off?.PodFilter is { } filter)
        {
            await CniMachine.FilterAsync(name, filter, token);
        }

        _servers[name] = new EchoServer(name);
        var pod = new CniPod(node, slot, await Kind.AddAsync(_machine, node, slot, token));
        _addresses.Add(pod.Address);
        _pods[pod] = true;
        return pod;
    }

    /// <summary>Removes a pod.</summary>
    public async Task RemoveAsync(CniPod pod, CancellationToken token)
    {
        Expect.True(_pods.TryRemove(pod, out _), $"{pod} is there");
        await Kind.RemoveAsync(_machine, pod, token);
        if (_servers.TryRemove(pod.Namespace, out var server))
        {
            await server.DisposeAsync();
        }

        await CniMachine.IpAsync(null, [$"netns delete {pod.Namespace}"], token);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_servers.Values.Select(server => server.DisposeAsync().AsTask()));

        // Its address goes away with the mesh.
        if (Api is not null)
        {
            await Api.DisposeAsync();
        }

        await Mesh.DisposeAsync();
    }

    // The topology's own pod makes room. What is addressed to nobody here goes to the host, as to a router.
    private async Task RaiseAsync(NodePlan node, CancellationToken token)
    {
        await CniMachine.IpAsync(
            node.Namespace,
            [$"link delete {TopologyCommands.NodePodLink}", $"route add default via {CniPlan.Mesh.HostAddress}"], token);
        _servers[node.Namespace] = new EchoServer(node.Namespace);
        await Kind.RaiseNodeAsync(_machine, node, token);
        for (var left = CniPlan.SteadyPodsOf(node); left > 0; left--)
        {
            await AddAsync(node, token);
        }
    }
}
