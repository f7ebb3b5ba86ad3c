using Orleans.Configuration;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>
/// Our settings of Orleans: membership, messaging, shutdown and memory, each with its reason. The settings of the garbage collector have to
/// be in the project file, because the runtime reads them before any code runs; they are listed there with their reasons.
/// </summary>
/// <remarks>
/// The figures were measured with 3 silo processes on 2 cores, Orleans 10.4.2. A silo that hangs (SIGSTOP) is known to the others after
/// 5 s with these settings (63 s with Orleans' own), a killed one after 2 s (7 s), or after 3 s if it had just become active.
/// </remarks>
internal static class SiloDefaults
{
    /// <summary>How long a stopping silo may take before the process ends anyway; below Kubernetes' grace period of 30 s.</summary>
    public static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Applies all of them.</summary>
    public static ISiloBuilder UseSiloDefaults(this ISiloBuilder builder) => builder
        .Configure<ClusterMembershipOptions>(ConfigureMembership)
        .Configure<SiloMessagingOptions>(ConfigureMessaging)
        .Configure<DeploymentLoadPublisherOptions>(ConfigureLoadPublisher)
        .Configure<GrainDirectoryOptions>(ConfigureDirectory)
        .Configure<GrainCollectionOptions>(ConfigureCollection)
        .ConfigureServices(services => services.Configure<HostOptions>(ConfigureHost));

    private static void ConfigureHost(HostOptions host)
    {
        host.ShutdownTimeout = ShutdownTimeout;

        // A silo may wait minutes for an API server that is away. The health endpoints say so, and therefore must not wait for the silo.
        host.ServicesStartConcurrently = true;
    }

    private static void ConfigureMembership(ClusterMembershipOptions membership)
    {
        // The first probe waits this long; later ones adapt to each peer between half of it and MaxProbeTimeout.
        membership.ProbeTimeout = TimeSpan.FromSeconds(1);

        // The setting that decides how long a hung silo goes unnoticed. Not below 1.5 s: a throttled pod pauses that long.
        membership.MaxProbeTimeout = TimeSpan.FromSeconds(1.5);
        membership.NumMissedProbesLimit = 3;

        // One silo alone must not be able to vote another out because its own network card is broken.
        membership.NumVotesForDeathDeclaration = 2;
        membership.NumProbedSilos = 10;

        // Who probes for another one writes the vote of both, and what gossip says is believed, a view in which the receiver is dead
        // included. Whoever reaches a port could say it. The watch of the table tells as fast.
        membership.EnableIndirectProbes = false;
        membership.UseLivenessGossip = false;
        membership.DeathVoteExpirationTimeout = TimeSpan.FromMinutes(2);

        // Written by every silo, so N writes in this time; it only matters when nobody is left to probe.
        membership.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(30);

        // The safety net below the watch: how old a silo's view of the table may become.
        membership.TableRefreshTimeout = TimeSpan.FromSeconds(30);

        // Whoever sees a silo join for longer than five minutes, by its own clock, would declare it dead: with a clock that is ten minutes
        // ahead, every silo that starts. A join that fails ends with its process.
        membership.EvictWhenMaxJoinAttemptTimeExceeded = false;

        // A roll-out leaves a dead row for each node; they only cost table size.
        membership.DefunctSiloMinimumRetention = TimeSpan.FromMinutes(10);
    }

    private static void ConfigureMessaging(SiloMessagingOptions messaging)
    {
        // Our calls answer in milliseconds or carry a time-out of their own, so 30 s would only hide a hang.
        messaging.ResponseTimeout = RotationTiming.ResponseTimeout;

        // No grain of a silo that stops may be re-created elsewhere, so there is nothing to wait for.
        messaging.ClientGatewayShutdownNotificationTimeout = TimeSpan.Zero;
        messaging.WaitForMessageToBeQueuedForOutboundTime = TimeSpan.Zero;
    }

    // Each silo would tell all silos about its load every second: 4 % of a core at 1,000 nodes. None of our grains is placed by load.
    private static void ConfigureLoadPublisher(DeploymentLoadPublisherOptions publisher) =>
        publisher.DeploymentLoadPublisherRefreshTime = TimeSpan.FromSeconds(60);

    // The default of a million entries reserves 20 MB; none of our grains is in the directory at all.
    private static void ConfigureDirectory(GrainDirectoryOptions directory) => directory.CacheSize = 1_000;

    private static void ConfigureCollection(GrainCollectionOptions collection) =>
        collection.DeactivationTimeout = TimeSpan.FromSeconds(5);
}
