using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>
/// Has the annotation show the key that this node announced last, for as long as the silo runs, and notes when any node's annotation begins
/// to show another key than the announced one.
/// </summary>
/// <remarks>What is announced is on the device already, so the annotation never shows a key that is not in use.</remarks>
internal sealed class AnnotationFollower(
    AnnotationPublisher publisher,
    AnnotationDifferences differences,
    NodeWatcher nodes,
    OwnAnnouncement own,
    AnnouncementStore store,
    ILocalSiloDetails silo,
    EndlessLoops loops) : BackgroundService
{
    private readonly Lock _lock = new();

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        own.Began -= Publish;
        store.Accepted -= Note;
        await base.StopAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        own.Began += Publish;
        store.Accepted += Note;
        Publish();
        return Task.WhenAll(
            loops.RepeatAsync("The annotation", token => publisher.RunAsync(silo.Name, token), Pause, stoppingToken),
            loops.RepeatAsync("The comparison of annotations", NoteObjectsAsync, Pause, stoppingToken));
    }

    private static TimeSpan Pause(int failures) => TimeSpan.FromSeconds(Math.Min(failures, 20));

    private void Publish()
    {
        if (own.Latest is { } announcement && SlotPhases.ActiveKey(announcement) is { } active)
        {
            publisher.Publish(active.PublicKey);
        }
    }

    private void Note(PeerAnnouncement announcement) => Note(announcement.NodeName);

    // Whoever notes last has seen the latest of both: an announcement may be accepted while the objects are gone through.
    private void Note(string nodeName)
    {
        lock (_lock)
        {
            differences.Note(nodeName, nodes.Current.Nodes.GetValueOrDefault(nodeName), store.Announcements.GetValueOrDefault(nodeName));
        }
    }

    private async Task NoteObjectsAsync(CancellationToken cancellationToken)
    {
        var last = WatchedNodes.Unknown;
        await foreach (var known in nodes.ChangesAsync(cancellationToken))
        {
            foreach (var (name, node) in known.Nodes)
            {
                if (!ReferenceEquals(node, last.Nodes.GetValueOrDefault(name)))
                {
                    Note(name);
                }
            }

            foreach (var name in last.Nodes.Keys.Where(name => !known.Nodes.ContainsKey(name)))
            {
                Note(name);
            }

            last = known;
        }
    }
}
