using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.Messaging;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Membership;

/// <summary>Puts Orleans membership into Kubernetes custom resources.</summary>
public static class KubernetesClusteringExtensions
{
    /// <summary>Uses the Kubernetes API as membership table of a silo. Safe to call twice.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="configure">Changes the clustering options; may be null.</param>
    /// <param name="configureApi">
    /// Says how the API server is reached; may be null: the pod's own service account, or outside of pods the kubeconfig that kubectl would
    /// take.
    /// </param>
    public static ISiloBuilder UseKubernetesClustering(
        this ISiloBuilder builder, Action<KubernetesClusteringOptions>? configure = null, Action<KubernetesApiOptions>? configureApi = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AddCommon(builder.Services, configure, configureApi);
        builder.Services.AddEndlessLoops();
        builder.Services.TryAddSingleton<ClusteringHealth>();
        builder.Services.TryAddSingleton<HeartbeatStore>();
        builder.Services.TryAddSingleton<KubernetesMembershipTable>();
        builder.Services.Replace(
            ServiceDescriptor.Singleton<IMembershipTable>(services => services.GetRequiredService<KubernetesMembershipTable>()));
        builder.Services.TryAddEnumerable(
            ServiceDescriptor.Singleton<ILifecycleParticipant<Orleans.Runtime.ISiloLifecycle>, MembershipWatch>());
        return builder;
    }

    /// <summary>Lets an Orleans client find its gateways in the Kubernetes API. Safe to call twice.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="configureApi">Says how the API server is reached; may be null.</param>
    public static IClientBuilder UseKubernetesClustering(this IClientBuilder builder, Action<KubernetesApiOptions>? configureApi = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AddCommon(builder.Services, null, configureApi);
        builder.Services.Replace(ServiceDescriptor.Singleton<IGatewayListProvider, KubernetesGatewayListProvider>());
        return builder;
    }

    private static void AddCommon(
        IServiceCollection services, Action<KubernetesClusteringOptions>? configure, Action<KubernetesApiOptions>? configureApi)
    {
        services.AddKubernetesApi(configureApi);
        services.AddOptions<KubernetesClusteringOptions>().Configure(configure ?? (_ => { })).ValidateOnStart();
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<KubernetesClusteringOptions>, KubernetesClusteringOptionsValidator>());
    }
}
