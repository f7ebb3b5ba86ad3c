using Microsoft.Extensions.DependencyInjection;

namespace Orleans.WireGuard.Supervision;

/// <summary>Adds the supervision to a container.</summary>
internal static class SupervisionExtensions
{
    /// <summary>Adds what keeps loops going, and ends the silo if one ends. Safe to call twice.</summary>
    public static IServiceCollection AddEndlessLoops(this IServiceCollection services)
    {
        if (services.All(service => service.ServiceType != typeof(EndlessLoops)))
        {
            services.AddSingleton<EndlessLoops>();
            services.AddHostedService(static provider => provider.GetRequiredService<EndlessLoops>());
        }

        return services;
    }
}
