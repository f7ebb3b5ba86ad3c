namespace Orleans.WireGuard.Membership;

/// <summary>Orleans membership in the Kubernetes API (section <c>Clustering:Kubernetes</c>).</summary>
public sealed class KubernetesClusteringOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Clustering:Kubernetes";

    /// <summary>
    /// How long a starting silo waits for an API server that is away or refuses it (definition or RBAC missing), saying why, before it
    /// gives up. Default 5 min; zero: not at all.
    /// </summary>
    [Since("0.1")]
    public TimeSpan InitializationTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How old the heartbeats in an answer may be; younger ones are not fetched again. Default 10 s, 0 to 1 min: well below
    /// <c>ClusterMembershipOptions.IAmAliveTablePublishTimeout</c> (30 s), and it keeps a burst of membership changes from listing all
    /// leases once per change and silo.
    /// </summary>
    [Since("0.1")]
    public TimeSpan HeartbeatStaleness { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Largest table that is sent, in bytes. Default 1 MiB (5,000 silos and more), 64 KiB to 1.5 MiB, which is etcd's own limit.
    /// </summary>
    [Since("0.1")]
    public int MaxTableBytes { get; set; } = 1024 * 1024;

    /// <summary>Whether changes are watched, so that silos learn them at once and not at the next table refresh. Default true.</summary>
    [Since("0.1")]
    public bool WatchChanges { get; set; } = true;
}
