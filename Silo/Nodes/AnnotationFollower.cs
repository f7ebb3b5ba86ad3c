using Orleans.WireGuard.Grains.Delivery;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Has the annotation show the key that this node announced last, for as long as the silo runs.</summary>
/// <remarks>What is announced is on the device already, so the annotation never shows a key that is not in use.</remarks>
internal sealed class AnnotationFollower(AnnotationPublisher publisher, DeliveryLedger ledger, ILocalSiloDetails silo) : BackgroundService
{
    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        ledger.Began -= Publish;
        await base.StopAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        ledger.Began += Publish;
        Publish();
        return publisher.RunAsync(silo.Name, stoppingToken);
    }

    private void Publish()
    {
        if (ledger.Announcement is { } announcement && KubernetesRosterSource.ActiveKey(announcement) is { } key)
        {
            publisher.Publish(key);
        }
    }
}
