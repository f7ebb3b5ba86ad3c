using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Clustering.Redis;
using Orleans.WireGuard.Supervision;
using StackExchange.Redis;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>Puts Orleans membership into a store outside of this process, and has it followed.</summary>
internal static class SharedMembershipExtensions
{
    /// <summary>Keeps membership in Redis and follows its changes.</summary>
    public static ISiloBuilder UseRedisMembership(this ISiloBuilder builder, string configuration)
    {
        builder.UseRedisClustering(redis => redis.ConfigurationOptions = ConfigurationOptions.Parse(configuration));
        builder.Services.AddSingleton(_ => new RedisConnection(configuration));
        builder.Services.AddOptions<RedisClusteringOptions>().Configure<RedisConnection>((redis, connection) =>
            redis.CreateMultiplexer = async _ => (await connection.GetAsync(CancellationToken.None), true));
        builder.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, RedisMembershipWatch>();
        return builder.UseSharedTable();
    }

    /// <summary>Has the silo end if the table that was registered last forgets it. Call it after the table is registered.</summary>
    public static ISiloBuilder UseSharedTable(this ISiloBuilder builder)
    {
        var services = builder.Services;
        var registered = services.Last(service => service.ServiceType == typeof(IMembershipTable) && !service.IsKeyedService);
        services.Remove(registered);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<SiloEnd>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<SharedMembershipTable>(provider, Create(registered, provider)));
        services.AddSingleton<IMembershipTable>(provider => provider.GetRequiredService<SharedMembershipTable>());
        return builder.UseSettledGeneration();
    }

    /// <summary>Has the silo take the generation that <see cref="SiloGeneration"/> chose.</summary>
    public static ISiloBuilder UseSettledGeneration(this ISiloBuilder builder)
    {
        builder.Services.TryAddSingleton<SiloGeneration>();
        builder.Services.Replace(ServiceDescriptor.Singleton<ILocalSiloDetails, NodeSiloDetails>());
        return builder;
    }

    private static object Create(ServiceDescriptor registered, IServiceProvider provider) =>
        registered.ImplementationInstance
        ?? registered.ImplementationFactory?.Invoke(provider)
        ?? ActivatorUtilities.CreateInstance(provider, registered.ImplementationType!);
}
