using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Orleans.Dashboard;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>The HTTP face of a silo: <c>/healthz</c>, <c>/readyz</c> and, where it is switched on, <c>/dashboard/</c>.</summary>
internal static class HealthEndpoints
{
    private const string ReadyTag = "ready";

    /// <summary>Adds the checks.</summary>
    public static IServiceCollection AddWireGuardHealth(this IServiceCollection services)
    {
        services.AddHealthChecks().AddCheck<ReadyCheck>("mesh", tags: [ReadyTag]);
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
            ResponseWriter = static (context, report) =>
                context.Response.WriteAsync(string.Join('\n', report.Entries.Values.Select(entry => entry.Description)) + "\n"),
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
        var problem = agent.Snapshot.Problem ?? (ledger.Announcement is null ? "has not announced its key yet" : null);
        return Task.FromResult(problem is null ? HealthCheckResult.Healthy("ready") : HealthCheckResult.Unhealthy(problem));
    }
}
