using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>
/// Removes a node's annotation when its device is gone: a key that nobody has any more misleads people and Cilium's tools.
/// </summary>
internal static class AnnotationCleanup
{
    /// <summary>
    /// The objects that may bear the annotation: with <see cref="NodeSource.Auto"/> both kinds, as Cilium may have come or gone since.
    /// </summary>
    public static IReadOnlyList<ApiResource> Resources(NodeSource source) => source switch
    {
        NodeSource.Node => [ApiResource.Nodes],
        NodeSource.CiliumNode => [ApiResource.CiliumNodes],
        _ => [ApiResource.CiliumNodes, ApiResource.Nodes],
    };

    /// <summary>
    /// Looks at the objects of one node and removes the annotation from those that have it. Needs list and patch, as a silo does.
    /// </summary>
    /// <param name="api">The API server.</param>
    /// <param name="source">Which kinds of objects.</param>
    /// <param name="nodeName">Whose objects they are.</param>
    /// <param name="removed">Gets each object at once, such as <c>nodes/node-1</c>, so that it is true even if this fails.</param>
    /// <param name="cancellationToken">Ends it; what was removed until then has been told.</param>
    /// <returns>Why the annotation may still be there, in a sentence; null if it is not.</returns>
    public static async Task<string?> RunAsync(
        KubernetesApi api, NodeSource source, string nodeName, ICollection<string> removed, CancellationToken cancellationToken)
    {
        foreach (var resource in Resources(source))
        {
            try
            {
                if (await HasAnnotationAsync(api, resource, nodeName, cancellationToken))
                {
                    await api.SendAsync(
                        AnnotationPublisher.Patch(resource, nodeName, null), NodesJson.Default.Acknowledgement, cancellationToken);
                    removed.Add($"{resource.Plural}/{nodeName}");
                }
            }
            catch (KubernetesApiException gone) when (gone.Failure is ApiFailure.NotFound or ApiFailure.MissingDefinition)
            {
                // Without its object, or a kind that is not served, there is no annotation.
            }
            catch (KubernetesApiException e)
            {
                return e.Message;
            }
        }

        return null;
    }

    // A list of one, since silos have no right to get: whoever runs the cleanup in a pod has a silo's rights.
    private static async Task<bool> HasAnnotationAsync(
        KubernetesApi api, ApiResource resource, string nodeName, CancellationToken cancellationToken)
    {
        var selector = "fieldSelector=" + Uri.EscapeDataString("metadata.name=" + nodeName);
        var (nodes, _) = await api.ListAsync(resource, selector, NodesJson.Default.ResourceListNodeObject, cancellationToken);
        return nodes.Any(node => node.Metadata.Annotations?.ContainsKey(NodeReader.PublicKeyAnnotation) == true);
    }
}
