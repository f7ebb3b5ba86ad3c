using k8s;

namespace Orleans.WireGuard.Api;

/// <summary>Which kubeconfig files say how the API server is reached: as kubectl chooses them.</summary>
internal static class KubeConfigChoice
{
    /// <summary>The files that a variable names.</summary>
    /// <param name="variable">Value of <see cref="KubernetesApiOptions.KubeConfigVariable"/>: a file, or several with colons between.</param>
    public static IReadOnlyList<string> Named(string? variable) =>
        (variable ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Chooses: what is configured, the variable, the home directory.</summary>
    /// <param name="options">What is configured.</param>
    /// <param name="variable">The variable's value.</param>
    /// <returns>
    /// Nothing where something else says how the server is reached. Of several, those that exist are merged, and what an earlier one says
    /// counts.
    /// </returns>
    public static IReadOnlyList<string> Find(KubernetesApiOptions options, string? variable) => options switch
    {
        { Address: not null } => [],
        { KubeConfigPath: { Length: > 0 } path } => [path],
        { Pod: not null } => [],
        _ => Named(variable) is { Count: > 0 } named ? named : [KubernetesClientConfiguration.KubeConfigDefaultLocation],
    };

    /// <summary>Reads them.</summary>
    /// <param name="files">What <see cref="Find"/> returned.</param>
    /// <exception cref="k8s.Exceptions.KubeConfigException">None exists, or one is not a kubeconfig.</exception>
    public static KubernetesClientConfiguration Load(IReadOnlyList<string> files)
    {
        // KubernetesClient merges what the variable names, and nothing else. Where nothing is to be found it would speak to localhost:8080.
        var isMerged = files.Count > 1 && files.Count(File.Exists) > 1;
        return isMerged
            ? KubernetesClientConfiguration.BuildDefaultConfig()
            : KubernetesClientConfiguration.BuildConfigFromConfigFile(files.FirstOrDefault(File.Exists) ?? files[0]);
    }
}
