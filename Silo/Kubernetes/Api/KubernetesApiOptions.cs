namespace Orleans.WireGuard.Api;

/// <summary>How the API server is reached, and how patient we are with it (section <c>Kubernetes</c>).</summary>
public sealed class KubernetesApiOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Kubernetes";

    /// <summary>The environment variable that names a kubeconfig, as kubectl has it.</summary>
    public const string KubeConfigVariable = "KUBECONFIG";

    /// <summary>
    /// Address of the API server, such as <c>https://10.0.0.1:443</c>; http only on loopback. Null (the default): the pod's own, and
    /// outside of pods that of <see cref="KubeConfigPath"/>. In a pod it must be null or the pod's own, as must be the three below.
    /// </summary>
    [Since("0.1")]
    public Uri? Address { get; set; }

    /// <summary>File with the bearer token for <see cref="Address"/>; read again every minute and after each failure. Null: none.</summary>
    [Since("0.1")]
    public string? TokenFile { get; set; }

    /// <summary>
    /// PEM file with the authorities that may sign the server's certificate, for <see cref="Address"/>. Null: the system's.
    /// </summary>
    [Since("0.1")]
    public string? CertificateAuthorityFile { get; set; }

    /// <summary>
    /// A kubeconfig file, outside of pods. Null (the default): those that the variable KUBECONFIG names, merged, or the one in the home
    /// directory.
    /// </summary>
    [Since("0.1")]
    public string? KubeConfigPath { get; set; }

    /// <summary>
    /// Namespace of our objects. Null (the default): the pod's, or the one of the kubeconfig's context, or <c>default</c>.
    /// </summary>
    [Since("0.1")]
    public string? Namespace { get; set; }

    /// <summary>Longest wait for one answer. Default 10 s; 0.1 s to 5 min.</summary>
    [Since("0.1")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long an open watch may be silent before it is begun anew. Default 90 s; 1 s to 10 min. A server says once a minute that nothing
    /// happened; one that hangs, or a connection that is gone without a word, says nothing.
    /// </summary>
    [Since("0.1")]
    public TimeSpan WatchIdleTimeout { get; set; } = TimeSpan.FromSeconds(90);

    /// <summary>How often a request is sent again after 429, 5xx or no answer. Default 4; 0 to 20.</summary>
    [Since("0.1")]
    public int MaxRetries { get; set; } = 4;

    /// <summary>
    /// First pause before a retry; it doubles each time, with jitter. Default 200 ms; 10 ms to <see cref="MaxRetryDelay"/>.
    /// </summary>
    [Since("0.1")]
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// Longest pause before a retry. A server that asks for more (Retry-After) gets no retry at all: the caller decides. Default 15 s; 10
    /// ms to 5 min.
    /// </summary>
    [Since("0.1")]
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long no request is sent after a series of failures (circuit breaker). Default 5 s; 0.5 s to 5 min.</summary>
    [Since("0.1")]
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>What this pod is given; null outside of pods. From the environment, so that no setting can say otherwise.</summary>
    internal PodIdentity? Pod { get; set; } = PodIdentity.Find(Environment.GetEnvironmentVariable, File.Exists);
}
