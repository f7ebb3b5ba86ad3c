using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Silo.Clustering;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Adds node discovery and annotation publishing by the Kubernetes API.</summary>
internal static class KubernetesNodesExtensions
{
    /// <summary>Adds <see cref="NodeWatcher"/> and <see cref="AnnotationPublisher"/>; the host runs them. Safe to call twice.</summary>
    /// <param name="services">The silo's services.</param>
    /// <param name="configure">Changes the options; may be null.</param>
    public static IServiceCollection AddKubernetesNodes(this IServiceCollection services, Action<NodesOptions>? configure = null)
    {
        services.AddKubernetesApi();
        services.AddOptions<NodesOptions>().Configure(configure ?? (_ => { })).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<NodesOptions>, NodesOptionsValidator>());
        services.TryAddSingleton<NodeWatcher>();
        services.TryAddSingleton<AnnotationPublisher>();
        return services;
    }
}
