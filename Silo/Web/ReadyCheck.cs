using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.Dashboard;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Supervision;

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
