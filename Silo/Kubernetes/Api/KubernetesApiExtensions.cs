using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

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
        services.TryAddKeyedSingleton<Random>(KubernetesApi.RandomKey, (_, _) => new Random());
        services.TryAddSingleton(provider => ActivatorUtilities.CreateInstance<KubernetesApi>(
            provider, provider.GetRequiredKeyedService<Random>(KubernetesApi.RandomKey)));
        return services;
    }
}
