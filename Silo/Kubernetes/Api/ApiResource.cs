namespace Orleans.WireGuard.Api;

/// <summary>A kind of object of the Kubernetes API: where it is served, and what must be installed for it.</summary>
/// <param name="Group">API group; empty for the core group.</param>
/// <param name="Version">API version, such as <c>v1</c>.</param>
/// <param name="Plural">Resource name as in URLs and in RBAC rules.</param>
/// <param name="IsNamespaced">Whether objects live in a namespace.</param>
/// <param name="Remedy">What an operator does if the server does not know the kind.</param>
internal sealed record ApiResource(string Group, string Version, string Plural, bool IsNamespaced, string Remedy)
{
    /// <summary>Orleans membership, one object per Orleans cluster.</summary>
    public static ApiResource OrleansClusters { get; } = new(
        "orleans.wireguard", "v1", "orleansclusters", true, "apply its definition: kubectl apply -f deploy/crds/orleansclusters.yaml");

    /// <summary>Heartbeats, one object per silo.</summary>
    public static ApiResource Leases { get; } = new(
        "coordination.k8s.io", "v1", "leases", true, "use Kubernetes 1.14 or newer");

    /// <summary>The machines of the cluster.</summary>
    public static ApiResource Nodes { get; } = new(string.Empty, "v1", "nodes", false, "check the address of the API server")
    {
        Kind = "Node",
    };

    /// <summary>Cilium's view of the machines, with the pod CIDRs it allocated.</summary>
    public static ApiResource CiliumNodes { get; } = new(
        "cilium.io", "v2", "ciliumnodes", false, "install Cilium, or set Nodes:Source to Node")
    {
        Kind = "CiliumNode",
    };

    /// <summary>What Azure's container networking gives each machine for its pods, one object per machine.</summary>
    public static ApiResource NodeNetworkConfigs { get; } = new(
        "acn.azure.com", "v1alpha", "nodenetworkconfigs", true, "only AKS with Azure CNI has it; set Nodes:Prefixes to what this cluster has")
    {
        Kind = "NodeNetworkConfig",
        Namespace = "kube-system",
    };

    /// <summary>The namespace in which all objects are, wherever ours are; null if they are in ours, or in none.</summary>
    public string? Namespace { get; private init; }

    /// <summary>What one object is called in messages.</summary>
    public string Kind { get; private init; } = Plural;

    /// <summary><c>leases.coordination.k8s.io</c>, as the API server writes it in messages.</summary>
    public string FullName => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary><c>group/version</c>, or the version alone in the core group.</summary>
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>The path, without a leading slash, of one object or (no name) of the collection.</summary>
    /// <param name="space">Namespace; ignored for cluster-scoped kinds.</param>
    /// <param name="name">Object name, or null.</param>
    public string Path(string? space, string? name)
    {
        var root = Group.Length == 0 ? $"api/{Version}" : $"apis/{Group}/{Version}";
        var scope = IsNamespaced ? $"/namespaces/{Uri.EscapeDataString(space!)}" : string.Empty;
        var item = name is null ? string.Empty : $"/{Uri.EscapeDataString(name)}";
        return $"{root}{scope}/{Plural}{item}";
    }
}
