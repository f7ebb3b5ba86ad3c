using k8s;

namespace Orleans.WireGuard.Api;

/// <summary>Which kubeconfig file says how the API server is reached.</summary>
internal static class KubeConfigChoice
{
    /// <summary>Chooses it, as KubernetesClient and kubectl do: what is configured, the variable, the home directory.</summary>
    /// <param name="options">What is configured.</param>
    /// <param name="variable">
    /// Value of <see cref="KubernetesApiOptions.KubeConfigVariable"/>: a file, or several with colons between, of which the first one that
    /// exists is read. kubectl merges them, which KubernetesClient does not.
    /// </param>
    /// <returns><see langword="null"/> where something else says how the server is reached.</returns>
    public static string? Find(KubernetesApiOptions options, string? variable) => options switch
    {
        { Address: not null } => null,
        { KubeConfigPath: { Length: > 0 } path } => path,
        { Pod: not null } => null,
        _ => FirstOf((variable ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)),
    };

    // If none is there, the first one is what the fault names.
    private static string FirstOf(string[] named) =>
        named.FirstOrDefault(File.Exists) ?? named.FirstOrDefault() ?? KubernetesClientConfiguration.KubeConfigDefaultLocation;
}
