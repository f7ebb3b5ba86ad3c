using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>Adds what tells this node's prefixes.</summary>
internal static class OwnPrefixesExtensions
{
    /// <summary>
    /// Adds <see cref="IOwnPrefixSource"/>, and has the host run it. Safe to call twice. Who the nodes are has to be added too.
    /// </summary>
    /// <param name="services">Where it is added.</param>
    /// <param name="isApiKnown">Whether an API server is known, which may be asked.</param>
    public static IServiceCollection AddOwnPrefixes(this IServiceCollection services, bool isApiKnown)
    {
        if (services.Any(service => service.ServiceType == typeof(IOwnPrefixSource)))
        {
            return services;
        }

        if (isApiKnown)
        {
            services.AddKubernetesApi();
        }

        services.AddEndlessLoops();
        services.AddSingleton(provider => new OwnPrefixSource(
            provider.GetRequiredService<INodeRosterSource>(),
            provider.GetRequiredService<IOptions<NodesOptions>>(),
            provider.GetRequiredService<IOptions<NodeOptions>>(),

            // Our own table is not read: it has a route for every prefix of every other node.
            new NetlinkDump(provider.GetRequiredService<TimeProvider>(), RouteTable.Main),
            provider.GetRequiredService<EndlessLoops>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>(),
            isApiKnown ? provider.GetService<KubernetesApi>() : null,
            provider.GetService<NodeWatcher>()));
        services.TryAddSingleton<IOwnPrefixSource>(provider => provider.GetRequiredService<OwnPrefixSource>());
        services.AddHostedService(provider => provider.GetRequiredService<OwnPrefixSource>());
        return services;
    }
}
