using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>Ready: the device is what it should be, and the node's key has been announced and is accepted by the others.</summary>
internal sealed class ReadyCheck(IMeshAgent agent, OwnAnnouncement own, Acceptance acceptance) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var problem = agent.Snapshot.FindProblem() ?? own.Problem ?? acceptance.FindProblem();
        return Task.FromResult(Health.Of(problem is null ? null : NodeProblemText.Describe(problem)));
    }
}
