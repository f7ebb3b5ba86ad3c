using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Passes a changed roster on: nodes that left are forgotten, and this node's own new addresses are announced.</summary>
internal sealed partial class RosterFollower(
    INodeRosterSource roster,
    AnnouncementStore store,
    AddressStore addresses,
    MeshMembers members,
    IMeshAgent agent,
    IGrainFactory grains,
    ILogger<RosterFollower> logger) : IHostedService
{
    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        roster.Changed += Follow;
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        roster.Changed -= Follow;
        return Task.CompletedTask;
    }

    private void Follow()
    {
        if (roster.Current is { } current)
        {
            store.ForgetAbsent(current);
            addresses.ForgetAbsent(current);
        }

        agent.RequestReconcile();
        _ = AnnounceAgainAsync();
    }

    private async Task AnnounceAgainAsync()
    {
        try
        {
            await grains.GetGrain<INodeKeeper>(members.LocalNodeName).AnnounceAgain();
        }
        catch (Exception e)
        {
            // Before the silo is an active member there is no NodeGrain; it reads the roster when it begins.
            LogNotAnnounced(logger, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The changed roster is announced when the silo is active: {Problem}")]
    private static partial void LogNotAnnounced(ILogger logger, string problem);
}
