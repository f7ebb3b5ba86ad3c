namespace Orleans.WireGuard.Api;

/// <summary>What a pod is given to reach the API server of its cluster: an address, a token and authorities.</summary>
/// <param name="Host">Value of KUBERNETES_SERVICE_HOST; empty if the pod has a service account only.</param>
/// <param name="Port">Value of KUBERNETES_SERVICE_PORT.</param>
/// <remarks>https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api.</remarks>
internal sealed record PodIdentity(string Host, string Port)
{
    /// <summary>The variable with the address, which the kubelet sets in every container.</summary>
    public const string HostVariable = "KUBERNETES_SERVICE_HOST";

    /// <summary>The variable with the port.</summary>
    public const string PortVariable = "KUBERNETES_SERVICE_PORT";

    /// <summary>The service account's token.</summary>
    public const string TokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token";

    /// <summary>The authorities of the API server.</summary>
    public const string AuthorityFile = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

    /// <summary>The API server; null if the variables do not make an address.</summary>
    public Uri? Server => Uri.TryCreate(
        $"https://{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}", UriKind.Absolute, out var server)
        ? server
        : null;

    /// <summary>The pod in which this process runs; null if it runs in none. Pure.</summary>
    /// <param name="variable">A variable of the environment.</param>
    /// <param name="fileExists">Whether a file exists.</param>
    public static PodIdentity? Find(Func<string, string?> variable, Func<string, bool> fileExists)
    {
        var pod = new PodIdentity(variable(HostVariable) ?? "", variable(PortVariable) ?? "");
        return pod.Host.Length > 0 || fileExists(TokenFile) ? pod : null;
    }
}
