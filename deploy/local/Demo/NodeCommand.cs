using Orleans.WireGuard.LocalMesh.ApiServer;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary><c>deploy/local/node</c>: creates and deletes the node objects of a running <c>make demo-kubernetes</c>, where kubectl is missing.</summary>
internal sealed class NodeCommand(LocalOptions options, TextWriter output)
{
    /// <summary>Runs it.</summary>
    /// <param name="arguments"><c>list</c>, <c>add NAME</c> or <c>delete NAME</c>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<int> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var plan = MeshPlan.Demo(MeshPlan.MaxNodes);
        var state = MeshState.For(plan, options.StateDirectory);
        using var client = KubernetesMeshBuilder.Connect(state);
        var nodes = new NodeObjects(client);
        switch (arguments)
        {
            case ["list"]:
                var named = await nodes.ListAsync(cancellationToken);
                foreach (var machine in plan.Nodes.Where(node => File.Exists(state.NodeObject(node))))
                {
                    output.WriteLine($"{machine.Name} {(named.Contains(machine.Name) ? "node" : "machine without a node object")}");
                }

                return 0;
            case ["add", var name]:
                var added = plan.Nodes.FirstOrDefault(node => node.Name == name && File.Exists(state.NodeObject(node)))
                    ?? throw new MeshFailedException($"The demo has no machine '{name}'; 'deploy/local/node list' shows them.");
                await nodes.AddAsync(plan, added, cancellationToken);
                output.WriteLine($"node {name} created");
                return 0;
            case ["delete", var name]:
                if (!await nodes.DeleteAsync(name, cancellationToken))
                {
                    throw new MeshFailedException($"There is no node object '{name}'.");
                }

                output.WriteLine($"node {name} deleted");
                return 0;
            default:
                Console.Error.WriteLine("usage: deploy/local/node list | add NAME | delete NAME");
                return 2;
        }
    }
}
