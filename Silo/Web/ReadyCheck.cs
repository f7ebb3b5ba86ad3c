using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Delivery;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>Ready: the device is what it should be, and the node's key has been announced.</summary>
internal sealed class ReadyCheck(IMeshAgent agent, DeliveryLedger ledger) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        return Task.FromResult(Health.Of(agent.Snapshot.FindProblem() ?? ledger.Problem));
    }
}
