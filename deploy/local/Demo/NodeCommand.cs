using k8s;
using Orleans.WireGuard.LocalMesh.ApiServer;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>
/// <c>deploy/local/node</c>: creates and deletes the node objects of a running <c>make demo-kubernetes</c>, where kubectl is missing.
/// </summary>
internal sealed class NodeCommand(LocalOptions options, TextWriter output)
{
    private readonly MeshPlan _plan = MeshPlan.Demo(MeshPlan.MaxNodes);

    private MeshState State => MeshState.For(_plan, options.StateDirectory);

    private IEnumerable<NodePlan> Machines => _plan.Nodes.Where(node => File.Exists(State.NodeObject(node)));

    /// <summary>Prints the machines, and which of them are nodes.</summary>
    public async Task<int> ListAsync(CancellationToken cancellationToken)
    {
        using var client = Connect();
        var named = await new NodeObjects(client).ListAsync(cancellationToken);
        foreach (var machine in Machines)
        {
            output.WriteLine($"{machine.Name} {(named.Contains(machine.Name) ? "node" : "machine without a node object")}");
        }

        return 0;
    }

    /// <summary>Creates the node object of a machine.</summary>
    /// <exception cref="MeshFailedException">There is no such machine.</exception>
    public async Task<int> AddAsync(string name, CancellationToken cancellationToken)
    {
        using var client = Connect();
        var machine = Machines.FirstOrDefault(node => node.Name == name)
            ?? throw new MeshFailedException($"The demo has no machine '{name}'; 'deploy/local/node list' shows them.");
        await new NodeObjects(client).AddAsync(_plan, machine, cancellationToken);
        output.WriteLine($"node {name} created");
        return 0;
    }

    /// <summary>Deletes a node object.</summary>
    /// <exception cref="MeshFailedException">There is none of this name.</exception>
    public async Task<int> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        using var client = Connect();
        if (!await new NodeObjects(client).DeleteAsync(name, cancellationToken))
        {
            throw new MeshFailedException($"There is no node object '{name}'.");
        }

        output.WriteLine($"node {name} deleted");
        return 0;
    }

    private Kubernetes Connect() => KubernetesMeshBuilder.Connect(State);
}
