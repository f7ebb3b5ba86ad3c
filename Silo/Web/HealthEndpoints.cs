using Microsoft.Extensions.Options;
using Orleans.Dashboard;

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
        return services.AddSingleton<ReadinessLog>();
    }

    /// <summary>Maps the pages.</summary>
    public static WebApplication MapWireGuard(this WebApplication app)
    {
        // Liveness asks only whether the process answers: a restart cures no fault that the checks below can see.
        var log = app.Services.GetRequiredService<ReadinessLog>();
        app.MapHealthChecks("/healthz", new() { Predicate = _ => false });
        app.MapHealthChecks("/readyz", new()
        {
            Predicate = check => check.Tags.Contains(ReadyTag),
            ResponseWriter = (context, report) =>
            {
                log.Note(report);
                return context.Response.WriteAsync(Health.Describe(report));
            },
        });
        if (app.Services.GetRequiredService<IOptions<DashboardPageOptions>>().Value.Enabled)
        {
            app.MapOrleansDashboard("/dashboard");
        }

        return app;
    }
}
