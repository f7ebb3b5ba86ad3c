using System.Net;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Dashboard;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Hosting;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Silo.Nodes.Prefixes;
using Orleans.WireGuard.Silo.Security;
using Orleans.WireGuard.Silo.Web;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Adds everything a node's silo consists of. The one place that knows all parts.</summary>
public static class WireGuardSiloExtensions
{
    /// <summary>Name of the Orleans service; the same on every silo and client.</summary>
    public const string ServiceId = "orleans-wireguard";

    /// <summary>Adds options, agent, devices, roster, grains and clustering. Safe to call twice.</summary>
    public static IHostApplicationBuilder AddWireGuard(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        if (services.Any(service => service.ServiceType == typeof(MeshAgent)))
        {
            return builder;
        }

        AddOptions(services);
        services.AddSingleton<StartupChecks>();
        services.AddSingleton<NodeNameCheck>();
        services.TryAddSingleton<SiloEnd>();
        AddRoster(services, builder.Configuration);
        services.AddSingleton<WireGuardClientFactory>();
        services.TryAddSingleton(provider => provider.GetRequiredService<WireGuardClientFactory>().Create());
        services.TryAddSingleton<ILinkClient>(provider => new NetlinkLinkClient(
            provider.GetRequiredService<TimeProvider>(), table: provider.GetRequiredService<RouteTable>()));
        services.TryAddSingleton<IPathProbe>(
            provider => new UdpPathProbe(provider.GetRequiredService<IOptions<DeviceOptions>>().Value.ListenPort));
        services.TryAddSingleton<IFirewall>(provider => new NetlinkFirewall(
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<IOptions<DeviceOptions>>().Value.DeviceNames.All));
        services.TryAddSingleton<IWitness>(provider => new NetlinkWitness(provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<INetworkDump>(provider => new NetlinkDump(provider.GetRequiredService<TimeProvider>()));

        // Before the agent: what changes between its first look and this would be noticed by the resync only.
        services.AddHostedService<LinkFollower>();
        services.AddMeshAgent();
        builder.UseOrleans(silo => ConfigureSilo(silo, builder.Configuration));
        return builder;
    }

    /// <summary>Adds the agent. Somebody else has to bring devices, links, a firewall and a roster.</summary>
    internal static IServiceCollection AddMeshAgent(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<MeshAgent>();
        services.AddSingleton<IMeshAgent>(provider => provider.GetRequiredService<MeshAgent>());
        services.AddSingleton<ReconcilePass>();
        services.AddSingleton<FirewallReconciler>();
        services.AddSingleton<EncryptionInForce>();
        services.AddSingleton<RealityReconciler>();
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<RoutingOptions>>().Value.ToRouteTable());
        services.AddSingleton(provider => new KernelWatch(
            provider.GetRequiredService<IOptions<DeviceOptions>>().Value.DeviceNames.All, provider.GetRequiredService<RouteTable>()));
        services.AddHostedService(provider => provider.GetRequiredService<MeshAgent>());
        services.AddHostedService<RosterFollower>();
        return services;
    }

    // A misspelt key is a setting that silently does nothing.
    private static void RefuseUnknown(BinderOptions binder) => binder.ErrorOnUnknownConfiguration = true;

    private static void AddOptions(IServiceCollection services)
    {
        services.AddOptions<NodeOptions>().BindConfiguration(NodeOptions.SectionName, RefuseUnknown).ValidateOnStart();
        services.AddOptions<NodesOptions>().BindConfiguration(NodesOptions.SectionName, RefuseUnknown).ValidateOnStart();
        services.AddOptions<ClusteringOptions>().BindConfiguration(ClusteringOptions.SectionName, RefuseUnknown).ValidateOnStart();
        services.AddOptions<DeviceOptions>().BindConfiguration(DeviceOptions.SectionName, RefuseUnknown).ValidateOnStart();
        services.AddOptions<EncryptionOptions>().BindConfiguration(EncryptionOptions.SectionName, RefuseUnknown).ValidateOnStart();
        services.AddOptions<RoutingOptions>().BindConfiguration(RoutingOptions.SectionName, RefuseUnknown).ValidateOnStart();
        services.AddOptions<WebOptions>().BindConfiguration(WebOptions.SectionName, RefuseUnknown).ValidateOnStart();
        services.AddOptions<KubernetesApiOptions>().BindConfiguration(KubernetesApiOptions.SectionName, RefuseUnknown);
        services.AddOptions<KubernetesClusteringOptions>().BindConfiguration(KubernetesClusteringOptions.SectionName, RefuseUnknown);
        services.AddOptions<DashboardPageOptions>().BindConfiguration(DashboardPageOptions.SectionName, RefuseUnknown);

        // These two are followed while the silo runs.
        services.AddSingleton<IOptionsMonitor<NodesOptions>, FollowedOptions<NodesOptions>>();
        services.AddSingleton<IOptionsMonitor<EncryptionOptions>, FollowedOptions<EncryptionOptions>>();
        services.AddSingleton<ConfigurationFollower>();
        services.AddHostedService(provider => provider.GetRequiredService<ConfigurationFollower>());
        services.PostConfigure<NodeOptions>(node =>
        {
            node.Name = node.Name is { Length: > 0 } ? node.Name : Environment.GetEnvironmentVariable(NodeOptions.NameVariable) ?? "";
            node.Address = node.Address is { Length: > 0 }
                ? node.Address
                : Environment.GetEnvironmentVariable(NodeOptions.AddressVariable) ?? "";
        });
        services.AddSingleton<IValidateOptions<NodeOptions>, NodeOptionsValidator>();
        services.AddSingleton<IValidateOptions<NodesOptions>, NodesOptionsValidator>();
        services.AddSingleton<IValidateOptions<ClusteringOptions>, ClusteringOptionsValidator>();
        services.AddSingleton<IValidateOptions<DeviceOptions>, DeviceOptionsValidator>();
        services.AddSingleton<IValidateOptions<EncryptionOptions>, EncryptionOptionsValidator>();
        services.AddSingleton<IValidateOptions<RoutingOptions>, RoutingOptionsValidator>();
        services.AddSingleton<IValidateOptions<WebOptions>, WebOptionsValidator>();
    }

    // Which source it is has to be known before there are services.
    private static void AddRoster(IServiceCollection services, IConfiguration configuration)
    {
        var nodes = configuration.GetSection(NodesOptions.SectionName).Get<NodesOptions>() ?? new NodesOptions();
        var api = configuration.GetSection(KubernetesApiOptions.SectionName).Get<KubernetesApiOptions>() ?? new KubernetesApiOptions();
        if (NodeSourceChoice.IsKubernetes(nodes, ApiConnection.IsKnown(api)))
        {
            services.AddKubernetesNodes();
        }
        else
        {
            services.TryAddSingleton<INodeRosterSource, StaticRosterSource>();
        }

        services.AddOwnPrefixes(ApiConnection.IsKnown(api));
    }

    private static void ConfigureSilo(ISiloBuilder silo, IConfiguration configuration)
    {
        silo.AddWireGuardGrains().UseSiloDefaults().UseGatewayFarewell().UseSiloSecurity();
        silo.UseSettledGeneration().Services.UseBoundedTransport();

        // A page shows the silos that count, so it may be asked for on one and the counters on all. Traces may show arguments of calls.
        if (configuration.GetSection(DashboardPageOptions.SectionName).Get<DashboardPageOptions>() is { } page
            && (page.Enabled || page.Counters))
        {
            silo.AddDashboard(dashboard => dashboard.HideTrace = true);
        }

        // The node's name and address are options that are validated first, so they are read when Orleans asks for them.
        silo.Services.AddOptions<SiloOptions>().PostConfigure<IOptions<NodeOptions>>((options, node) => options.SiloName = node.Value.Name);
        silo.Services.AddOptions<EndpointOptions>()
            .Configure<IOptions<NodeOptions>, IOptions<NodesOptions>, IOptions<ClusteringOptions>>(ConfigureEndpoints);
        silo.Services.AddOptions<ClusterOptions>().PostConfigure<IOptions<ClusteringOptions>>((options, clustering) =>
            (options.ClusterId, options.ServiceId) = (clustering.Value.ClusterId, ServiceId));

        var clustering = configuration.GetSection(ClusteringOptions.SectionName).Get<ClusteringOptions>() ?? new ClusteringOptions();
        if (clustering.Provider == ClusteringProvider.Redis)
        {
            silo.UseRedisMembership(clustering.Redis);
        }
        else if (clustering.Provider == ClusteringProvider.Kubernetes)
        {
            silo.UseKubernetesClustering().UseSharedTable();
            silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services => services.GetRequiredService<NodeNameCheck>());
        }
        else
        {
            silo.UseDevelopmentClustering((OptionsBuilder<DevelopmentClusterMembershipOptions> options) =>
                options.Configure<IOptions<NodeOptions>, IOptions<NodesOptions>, IOptions<ClusteringOptions>>(
                    (development, node, nodes, clustering) =>
                    development.PrimarySiloEndpoint = SiloEndpoint(node.Value, nodes.Value, clustering.Value)));
        }
    }

    private static void ConfigureEndpoints(
        EndpointOptions endpoints, IOptions<NodeOptions> node, IOptions<NodesOptions> nodes, IOptions<ClusteringOptions> clustering)
    {
        var silo = SiloEndpoint(node.Value, nodes.Value, clustering.Value);
        endpoints.AdvertisedIPAddress = silo.Address;
        endpoints.SiloPort = silo.Port;
        endpoints.SiloListeningEndpoint = silo;
        endpoints.GatewayPort = clustering.Value.GatewayPort;
        endpoints.GatewayListeningEndpoint = clustering.Value.GatewayPort == 0
            ? null
            : new IPEndPoint(IPAddress.Parse(clustering.Value.GatewayAddress), clustering.Value.GatewayPort);
    }

    private static IPEndPoint SiloEndpoint(NodeOptions node, NodesOptions nodes, ClusteringOptions clustering) =>
        new(LocalAddress.Of(node, nodes), clustering.SiloPort);
}
