using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Api;

/// <summary>Adds the client to a container.</summary>
internal static class KubernetesApiExtensions
{
    /// <summary>Adds the client of the Kubernetes API that clustering and node discovery share.</summary>
    public static IServiceCollection AddKubernetesApi(this IServiceCollection services, Action<KubernetesApiOptions>? configure = null)
    {
        services.AddOptions<KubernetesApiOptions>().Configure(configure ?? (_ => { })).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<KubernetesApiOptions>, KubernetesApiOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(static _ => new Jitter(new Random()));
        services.TryAddSingleton<KubernetesApi>();
        return services;
    }
}
