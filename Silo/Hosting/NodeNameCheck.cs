using System.Net;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>
/// Refuses to be a second silo of one name: both would claim the node's key. The younger gives way. A row of our own address is our former
/// self, and one that nobody answers for is a silo that died a moment ago.
/// </summary>
/// <remarks>
/// With Redis it runs before anything is made, and a store that is away is a fault. With Kubernetes it runs within the silo's own start,
/// just before the silo joins: an API server that is away is waited for, while the health endpoints already say so.
/// </remarks>
internal sealed class NodeNameCheck(
    IOptions<NodeOptions> node, IOptions<NodesOptions> nodes, IOptions<ClusteringOptions> clustering, IServiceProvider services)
    : ILifecycleParticipant<ISiloLifecycle>
{
    /// <inheritdoc/>
    public void Participate(ISiloLifecycle lifecycle)
    {
        if (clustering.Value.Provider == ClusteringProvider.Kubernetes)
        {
            // The stage before Orleans itself opens the membership table.
            lifecycle.Subscribe(nameof(NodeNameCheck), ServiceLifecycleStage.RuntimeInitialize, RunOrThrowAsync, _ => Task.CompletedTask);
        }
    }

    /// <summary>Reads the membership and looks who bears our name.</summary>
    /// <returns>What is wrong; <see langword="null"/> if nothing is.</returns>
    public async Task<string?> RunAsync(CancellationToken cancellationToken)
    {
        // Not a constructor argument: there is no table with development clustering.
        var membership = services.GetRequiredService<IMembershipTable>();
        await membership.InitializeMembershipTableAsync(true, cancellationToken);
        var table = await membership.ReadAllAsync(cancellationToken);
        var self = new IPEndPoint(LocalAddress.Of(node.Value, nodes.Value), clustering.Value.SiloPort);
        foreach (var (entry, _) in table.Members)
        {
            var endpoint = entry.SiloAddress.Endpoint;
            if (entry.Status == SiloStatus.Active && entry.SiloName == node.Value.Name && !endpoint.Equals(self)
                && await TcpProbe.AnswersAsync(endpoint, cancellationToken))
            {
                return $"Node:Name '{node.Value.Name}' is borne by another silo, which answers at {endpoint}; every node has a name of its own.";
            }
        }

        return null;
    }

    private async Task RunOrThrowAsync(CancellationToken cancellationToken)
    {
        if (await RunAsync(cancellationToken) is { } fault)
        {
            throw new StartupException([fault]);
        }
    }
}
