using Orleans.WireGuard.Membership;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>Where Orleans keeps its membership.</summary>
public enum ClusteringProvider
{
    /// <summary>In this process. For one silo: others cannot join.</summary>
    Development,

    /// <summary>In Redis. Any silo may die, and the others go on.</summary>
    Redis,

    /// <summary>In custom resources of the Kubernetes API (sections <c>Kubernetes</c> and <c>Clustering:Kubernetes</c>).</summary>
    Kubernetes,
}

/// <summary>How the silos find and reach each other (section <c>Clustering</c>).</summary>
public sealed class ClusteringOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Clustering";

    /// <summary>Default: <see cref="ClusteringProvider.Development"/>.</summary>
    [Since("0.1")]
    public ClusteringProvider Provider { get; set; } = ClusteringProvider.Development;

    /// <summary>
    /// StackExchange.Redis connection string, such as <c>192.168.100.254:6379</c>. Needed with <see cref="ClusteringProvider.Redis"/>; no
    /// default.
    /// </summary>
    [Since("0.1")]
    public string Redis { get; set; } = "";

    /// <summary>Silos with the same id form one mesh. Default: <c>orleans-wireguard</c>.</summary>
    [Since("0.1")]
    public string ClusterId { get; set; } = "orleans-wireguard";

    /// <summary>TCP port between silos, on the node's address (<c>Node:Address</c>). Default: 11111. Range: 1 to 65535.</summary>
    [Since("0.1")]
    public int SiloPort { get; set; } = 11111;

    /// <summary>TCP port for clients, the owg command among them. Default: 30000. Range: 1 to 65535, or 0 for none.</summary>
    [Since("0.1")]
    public int GatewayPort { get; set; } = 30000;

    /// <summary>
    /// Address on which the gateway listens. Default: 127.0.0.1. Whoever reaches it may call every grain, so open it further only on a
    /// network where everybody is trusted.
    /// </summary>
    [Since("0.1")]
    public string GatewayAddress { get; set; } = "127.0.0.1";

    /// <summary>
    /// What only <see cref="ClusteringProvider.Kubernetes"/> reads (section <c>Clustering:Kubernetes</c>). The provider asks for these
    /// options by their own type; here they are a part of the section, whose keys are checked for their spelling.
    /// </summary>
    [Since("0.1")]
    public KubernetesClusteringOptions Kubernetes { get; } = new();
}
