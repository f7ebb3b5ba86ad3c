using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Orleans.Dashboard;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>The HTTP face of a silo: <c>/healthz</c>, <c>/readyz</c> and, where it is switched on, <c>/dashboard/</c>.</summary>
internal static class HealthEndpoints
{
    private const string ReadyTag = "ready";

    /// <summary>Adds the checks.</summary>
    public static IServiceCollection AddWireGuardHealth(this IServiceCollection services)
    {
        services.AddHealthChecks().AddCheck<ReadyCheck>("mesh", tags: [ReadyTag])
            .AddCheck<ClusteringCheck>("clustering", tags: [ReadyTag]).AddCheck<NodesCheck>("nodes", tags: [ReadyTag])
            .AddCheck<ClockCheck>("clock", tags: [ReadyTag]);
        return services;
    }

    /// <summary>Maps the pages.</summary>
    public static WebApplication MapWireGuard(this WebApplication app)
    {
        // Liveness asks only whether the process answers: a restart cures no fault that the checks below can see.
        app.MapHealthChecks("/healthz", new() { Predicate = _ => false });
        app.MapHealthChecks("/readyz", new()
        {
            Predicate = check => check.Tags.Contains(ReadyTag),
            ResponseWriter = static (context, report) => context.Response.WriteAsync(Health.Describe(report)),
        });
        if (app.Services.GetRequiredService<IOptions<DashboardPageOptions>>().Value.Enabled)
        {
            app.MapOrleansDashboard("/dashboard");
        }

        return app;
    }
}

/// <summary>Ready: the device is what it should be, and the node's key has been announced.</summary>
internal sealed class ReadyCheck(IMeshAgent agent, DeliveryLedger ledger) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        return Task.FromResult(Health.Of(agent.Snapshot.FindProblem() ?? ledger.Problem));
    }
}

/// <summary>Ready: the membership can be read and written, as far as the last request tells.</summary>
/// <remarks>Silos that run go on without it. It counts for readiness so that a roll-out stops while no silo could join.</remarks>
internal sealed class ClusteringCheck(IServiceProvider services) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Health.Of(services.GetService<ClusteringHealth>()?.Problem is { } problem ? $"membership: {problem}" : null));
}

/// <summary>Ready: the list of nodes is followed, and has nothing to complain about this node.</summary>
/// <remarks>What another node's object claims of this one's addresses is told, and makes this node no less ready.</remarks>
internal sealed class NodesCheck(
    INodeRosterSource roster, AnnouncementStore store, DeliveryLedger ledger, ILocalSiloDetails silo, IServiceProvider services)
        : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var problem = services.GetService<NodeWatcher>()?.Problem is { } away ? $"nodes: {away}"
            : roster.FindProblem(silo.Name, ledger.Announcement) is { } own ? $"nodes: {silo.Name} {own}"
            : RosterRemarks.FindProblem(store.Roster, silo.Name) is { } loss ? $"nodes: {loss}"
            : null;
        return Task.FromResult(Health.Of(problem, RosterRemarks.FindNote(store.Roster, silo.Name) is { } note ? $"nodes: {note}" : null));
    }
}

/// <summary>
/// Ready: the clock is that of the API server, as far as its last answer tells, or can be right, or others have told the time.
/// </summary>
/// <remarks>What is refused because another clock may be wrong is told, and makes this node no less ready.</remarks>
internal sealed class ClockCheck(MeshClock clock, AnnouncementStore store, IServiceProvider services) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Health.Of(
            (services.GetService<KubernetesApi>()?.ClockProblem ?? clock.FindProblem()) is { } problem ? $"clock: {problem}" : null,
            clock.FindNote(store.LastAhead) is { } note ? $"clock: {note}" : null));
}

/// <summary>A problem as a result.</summary>
internal static class Health
{
    /// <summary>Unhealthy with a problem, degraded with a note, healthy with neither.</summary>
    public static HealthCheckResult Of(string? problem, string? note = null) => problem is not null ? HealthCheckResult.Unhealthy(problem)
        : note is not null ? HealthCheckResult.Degraded(note) : HealthCheckResult.Healthy();

    /// <summary>What a probe reads: <c>ready</c> unless there is a problem, then a line for each problem and note.</summary>
    public static string Describe(HealthReport report) => (report.Status == HealthStatus.Unhealthy ? "" : "ready\n")
        + string.Concat(report.Entries.Values.Where(entry => entry.Status != HealthStatus.Healthy)
            .Select(entry => Printable.Line(entry.Description) + "\n"));
}
