using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>
/// Ready: the clock is that of the API server, as far as its last answer tells, or can be right, or others have told the time.
/// </summary>
/// <remarks>What is refused because another clock may be wrong is told, and makes this node no less ready.</remarks>
internal sealed class ClockCheck(MeshClock clock, AnnouncementStore store, IServiceProvider services) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var problem = services.GetService<KubernetesApi>()?.ClockProblem
            ?? (clock.FindProblem() is { } own ? NodeProblemText.Describe(own) : null);
        return Task.FromResult(Health.Of(
            problem is null ? null : $"clock: {problem}", clock.FindNote(store.LastAhead) is { } note ? $"clock: {note}" : null));
    }
}
