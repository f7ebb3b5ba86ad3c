using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.Dashboard;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>Ready: the membership can be read and written, as far as the last request tells.</summary>
/// <remarks>Silos that run go on without it. It counts for readiness so that a roll-out stops while no silo could join.</remarks>
internal sealed class ClusteringCheck(IServiceProvider services) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Health.Of(services.GetService<ClusteringHealth>()?.Problem is { } problem ? $"membership: {problem}" : null));
}
