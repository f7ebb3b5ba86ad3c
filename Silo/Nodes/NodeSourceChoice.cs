using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Decides what <see cref="NodeSource.Auto"/> means here.</summary>
internal static class NodeSourceChoice
{
    /// <summary>Whether the roster comes from Kubernetes. A list that somebody wrote down wins over an API server that happens to be there.</summary>
    /// <param name="nodes">What is configured.</param>
    /// <param name="isApiKnown">Whether an API server is known, as <see cref="IsApiKnown"/> says.</param>
    public static bool IsKubernetes(NodesOptions nodes, bool isApiKnown) => nodes.Source switch
    {
        NodeSource.Auto => nodes.Static.Count == 0 && isApiKnown,
        NodeSource.Static => false,
        _ => true,
    };

    /// <summary>Whether there is a configured API server, a pod's service account, or the variable KUBECONFIG. A kubeconfig that merely lies
    /// in the home directory does not count: who has one is an operator, not a node.</summary>
    public static bool IsApiKnown(KubernetesApiOptions api) =>
        api.Address is not null
        || !string.IsNullOrEmpty(api.KubeConfigPath)
        || k8s.KubernetesClientConfiguration.IsInCluster()
        || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(KubernetesApiOptions.KubeConfigVariable));
}
