using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Adds the roster and the annotation by the Kubernetes API.</summary>
internal static class KubernetesNodesExtensions
{
    /// <summary>
    /// Adds <see cref="KubernetesRosterSource"/> and <see cref="AnnotationPublisher"/>, and has the host run them. Safe to call twice.
    /// </summary>
    public static IServiceCollection AddKubernetesNodes(this IServiceCollection services)
    {
        if (services.Any(service => service.ServiceType == typeof(NodeWatcher)))
        {
            return services;
        }

        services.AddKubernetesApi();
        services.AddEndlessLoops();
        services.AddSingleton<NodeWatcher>();
        services.AddSingleton<AnnotationPublisher>();
        services.AddSingleton<AnnotationDifferences>();
        services.AddSingleton<KubernetesRosterSource>();
        services.TryAddSingleton<INodeRosterSource>(provider => provider.GetRequiredService<KubernetesRosterSource>());
        services.AddHostedService(provider => provider.GetRequiredService<KubernetesRosterSource>());
        services.AddHostedService<AnnotationFollower>();
        return services;
    }
}
