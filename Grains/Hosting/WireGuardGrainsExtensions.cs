using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Placement;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Grains.Hosting;

/// <summary>Adds the grains to a silo.</summary>
public static class WireGuardGrainsExtensions
{
    /// <summary>
    /// Adds NodeGrain, PeerGrain, MeshGrain and PeerService with what they need. The silo has to bring an agent and a roster. Safe to call
    /// twice.
    /// </summary>
    public static ISiloBuilder AddWireGuardGrains(this ISiloBuilder builder)
    {
        var services = builder.Services;
        if (services.Any(service => service.ServiceType == typeof(KeyRing)))
        {
            return builder;
        }

        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(static _ => new Jitter(new Random()));
        services.AddEndlessLoops();
        services.TryAddSingleton<SiloEnd>();
        services.AddSingleton<KeyRing>();
        services.AddSingleton<Identity>();
        services.AddSingleton<AnnouncementStore>();
        services.AddSingleton<OwnAnnouncement>();
        services.TryAddSingleton<IOwnPrefixSource>(static services => new RosterPrefixSource(
            services.GetRequiredService<INodeRosterSource>(), services.GetRequiredService<ILocalSiloDetails>().Name));
        services.AddSingleton<AddressStore>();
        services.AddSingleton<OwnAddresses>();
        services.AddSingleton<AddressAnnouncer>();
        services.AddSingleton<AddressReport>();
        services.AddSingleton<MeshMembers>();
        services.AddSingleton(static services => new MeshClock(
            services.GetRequiredService<TimeProvider>(), services.GetRequiredService<IOptions<RotationOptions>>().Value.Period));
        services.AddSingleton<ClockSurvey>();
        services.AddSingleton(static services => new MeshProtocol(
            OwnProtocol.Range, services.GetRequiredService<AnnouncementStore>(), services.GetRequiredService<MeshMembers>(),
            services.GetRequiredService<TimeProvider>()));
        services.AddSingleton<Acceptance>();
        services.TryAddSingleton<IPeerServiceClient, PeerServiceClient>();
        services.AddOptions<RotationOptions>()
            .BindConfiguration(RotationOptions.SectionName, static binder => binder.ErrorOnUnknownConfiguration = true).ValidateOnStart();
        services.AddOptions<DeliveryOptions>()
            .BindConfiguration(DeliveryOptions.SectionName, static binder => binder.ErrorOnUnknownConfiguration = true).ValidateOnStart();
        services.AddSingleton<IValidateOptions<RotationOptions>, RotationOptionsValidator>();
        services.AddSingleton<IValidateOptions<DeliveryOptions>, DeliveryOptionsValidator>();
        builder.AddPlacementDirector<NodeLocalPlacement, NodeLocalDirector>();
        builder.AddGrainService<PeerService>();

        builder.AddStartupTask<NodeKeeperStarter>();
        return builder;
    }
}
