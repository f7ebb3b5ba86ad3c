using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.WireGuard.Membership;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>Ready: the membership can be read and written, as far as the last request tells.</summary>
/// <remarks>Silos that run go on without it. It counts for readiness so that a roll-out stops while no silo could join.</remarks>
internal sealed class ClusteringCheck(IServiceProvider services) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Health.Of(services.GetService<ClusteringHealth>()?.Problem is { } problem ? $"membership: {problem}" : null));
}
