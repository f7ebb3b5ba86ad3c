using k8s;
using k8s.KubeConfigModels;

namespace Orleans.WireGuard.Api;

/// <summary>Which kubeconfig files say how the API server is reached: as kubectl chooses them.</summary>
internal static class KubeConfigChoice
{
    /// <summary>The files that a variable names.</summary>
    /// <param name="variable">
    /// Value of <see cref="KubernetesApiOptions.KubeConfigVariable"/>: a file, or several with colons between.
    /// </param>
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
    /// <param name="files">What <see cref="Find"/> returned; those that are missing are left out, unless all are.</param>
    /// <exception cref="k8s.Exceptions.KubeConfigException">None exists, or one is not a kubeconfig.</exception>
    /// <remarks>KubernetesClient merges too, but refuses if one is missing, and speaks to localhost:8080 if all are.</remarks>
    public static KubernetesClientConfiguration Load(IReadOnlyList<string> files)
    {
        var existing = files.Where(File.Exists).DefaultIfEmpty(files[0]);
        return KubernetesClientConfiguration.BuildConfigFromConfigObject(
            existing.Select(file => KubernetesClientConfiguration.LoadKubeConfig(new FileInfo(file))).Aggregate(Merge));
    }

    // Of two entries with one name the first one is found.
    private static K8SConfiguration Merge(K8SConfiguration merged, K8SConfiguration next)
    {
        merged.CurrentContext ??= next.CurrentContext;
        merged.Contexts = [.. merged.Contexts ?? [], .. next.Contexts ?? []];
        merged.Clusters = [.. merged.Clusters ?? [], .. next.Clusters ?? []];
        merged.Users = [.. merged.Users ?? [], .. next.Users ?? []];
        return merged;
    }
}
