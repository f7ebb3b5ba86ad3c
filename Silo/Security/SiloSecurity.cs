using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Configuration;

namespace Orleans.WireGuard.Silo.Security;

/// <summary>Puts the parts of this folder where they belong.</summary>
internal static class SiloSecurity
{
    /// <summary>Which guard is whose, for those who ask for one.</summary>
    public const string SiloPort = "silo", GatewayPort = "gateway";

    /// <summary>Guards the ports of a silo and what is called on it. Works with every transport.</summary>
    public static ISiloBuilder UseSiloSecurity(this ISiloBuilder builder)
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        AddGuard(builder.Services, SiloPort, ConnectionLimits.Silos);
        AddGuard(builder.Services, GatewayPort, ConnectionLimits.Clients);
        builder.Services.TryAddSingleton<ClientFrameGate>();
        builder.Configure<SiloMessagingOptions>(ConnectionLimits.Apply);
        builder.Services.AddOptions<SiloConnectionOptions>().Configure<IServiceProvider>((connections, services) =>
        {
            connections.ConfigureSiloInboundConnection(
                connection => connection.Use(services.GetRequiredKeyedService<ConnectionGuard>(SiloPort).Use));
            connections.ConfigureGatewayInboundConnection(connection => connection
                .Use(services.GetRequiredKeyedService<ConnectionGuard>(GatewayPort).Use)
                .Use(services.GetRequiredService<ClientFrameGate>().Use));
        });
        return builder.AddIncomingGrainCallFilter<CallFilter>();
    }

    private static void AddGuard(IServiceCollection services, string port, ConnectionLimits limits) =>
        services.TryAddKeyedSingleton(port, (provider, _) => new ConnectionGuard(
            port, limits, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<ConnectionGuard>>()));
}
