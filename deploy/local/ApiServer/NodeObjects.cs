using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.ApiServer;

/// <summary>The Node objects of a mesh: who has one is a node, whose machine gets a silo.</summary>
internal sealed class NodeObjects(IKubernetes client)
{
    /// <summary>Marks objects that a local mesh made, so that nothing else is ever deleted.</summary>
    public const string Label = "orleans.wireguard/local-mesh";

    /// <summary>The object of a machine, as its kubelet would register it.</summary>
    public static V1Node Create(MeshPlan plan, NodePlan node) => new()
    {
        ApiVersion = V1Node.KubeApiVersion,
        Kind = V1Node.KubeKind,
        Metadata = new V1ObjectMeta { Name = node.Name, Labels = new Dictionary<string, string> { [Label] = plan.Prefix } },
        Spec = new V1NodeSpec
        {
            PodCIDR = node.PodCIDR.ToString(),
            PodCIDRs = [.. Texts(node.PodCIDR, node.IPv6?.PodCIDR)],

            // Nothing here runs containers: a cluster that does must not send any.
            Unschedulable = true,
            Taints = [new V1Taint { Key = Label, Effect = "NoSchedule" }],
        },
        Status = new V1NodeStatus
        {
            Addresses = [
                .. Texts(node.Address, node.IPv6?.Address).Select(address => new V1NodeAddress { Type = "InternalIP", Address = address })],
        },
    };

    /// <summary>Makes the object.</summary>
    /// <exception cref="MeshFailedException">The cluster has a node of that name already.</exception>
    public async Task AddAsync(MeshPlan plan, NodePlan node, CancellationToken cancellationToken)
    {
        try
        {
            await client.CoreV1.CreateNodeAsync(Create(plan, node), cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Conflict)
        {
            throw new MeshFailedException($"There is a node object '{node.Name}' already.");
        }
    }

    /// <summary>Deletes the object.</summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            await client.CoreV1.DeleteNodeAsync(name, cancellationToken: cancellationToken);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    /// <summary>Names of all node objects, whoever made them.</summary>
    public async Task<IReadOnlySet<string>> ListAsync(CancellationToken cancellationToken) =>
        (await client.CoreV1.ListNodeAsync(cancellationToken: cancellationToken)).Items.Select(node => node.Name())
            .ToHashSet(StringComparer.Ordinal);

    /// <summary>Deletes the objects that a mesh of this plan made.</summary>
    public async Task DeleteAllAsync(MeshPlan plan, CancellationToken cancellationToken)
    {
        foreach (var node in (await client.CoreV1.ListNodeAsync(
            labelSelector: $"{Label}={plan.Prefix}", cancellationToken: cancellationToken)).Items)
        {
            await DeleteAsync(node.Name(), cancellationToken);
        }
    }

    private static IEnumerable<string> Texts(params IEnumerable<object?> values) =>
        values.OfType<object>().Select(value => value.ToString()!);
}
