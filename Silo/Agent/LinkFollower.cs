using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Has the agent look at once when links, routes or rules that concern it changed.</summary>
internal sealed class LinkFollower(MeshAgent agent, KernelWatch watch, ILogger<NetlinkLinkMonitor> logger) : IHostedService, IDisposable
{
    private readonly NetlinkLinkMonitor _monitor = new(() => watch.Filter, agent.RequestLook, logger);

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _monitor.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => _monitor.StopAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _monitor.Dispose();
}
