using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>The roster that Kubernetes tells: what the watcher knows, without what the mesh does not act on.</summary>
/// <remarks>
/// An annotation changes with every key and a Node object with every heartbeat of its kubelet; neither is a change of the roster. A node
/// without addresses or pod CIDRs is listed with its problem: it is a node, and its announcements are judged by what they hold.
/// </remarks>
internal sealed class KubernetesRosterSource(NodeWatcher watcher, TimeProvider time) : BackgroundService, INodeRosterSource
{
    /// <summary>How long an annotation may lag behind the announced key: the pause between two writes, the write and its watch event.</summary>
    private static readonly TimeSpan AnnotationGrace = TimeSpan.FromSeconds(30);

    private volatile NodeRoster? _current;

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public NodeRoster? Current => _current;

    /// <inheritdoc/>
    public string? FindProblem(string nodeName, PeerAnnouncement? announced) =>
        FindProblem(watcher.Current, nodeName, announced, time.GetUtcNow());

    /// <summary>What is wrong with a node, in a sentence; null if nothing is. Pure.</summary>
    /// <param name="known">What the watcher knows.</param>
    /// <param name="nodeName">The node.</param>
    /// <param name="announced">Its current announcement; null if none is held.</param>
    /// <param name="now">The time.</param>
    public static string? FindProblem(WatchedNodes known, string nodeName, PeerAnnouncement? announced, DateTimeOffset now)
    {
        if (!known.IsSynced)
        {
            return null;
        }

        if (known.Nodes.GetValueOrDefault(nodeName) is not { } node)
        {
            return "has no node object";
        }

        var problems = node.Problems.Select(problem => "its node object " + problem).ToList();
        if (announced is not null && node.AnnotatedKey is { } annotated && now - announced.IssuedAt > AnnotationGrace
            && ActiveKey(announced) is { } active && annotated != active.ToString())
        {
            var shown = PublicKey.TryParse(annotated, out var key) ? key.ToShortString() : "no key at all";
            problems.Add($"its annotation {NodeReader.PublicKeyAnnotation} shows {shown}, not the announced {active.ToShortString()}");
        }

        return problems.Count == 0 ? null : string.Join("; ", problems);
    }

    /// <summary>The key that carries, or will carry, the traffic: the one of the newest epoch.</summary>
    public static PublicKey? ActiveKey(PeerAnnouncement announcement) => announcement.Slots.MaxBy(slot => slot.KeyEpoch)?.PublicKey;

    /// <summary>The roster of what is known; null while it is not known completely. Pure.</summary>
    public static NodeRoster? Project(WatchedNodes known) => known.IsSynced
        ? NodeRoster.Of(known.Nodes.Values.Select(node => new RosterNode(node.Name, node.Addresses, node.PodCIDRs)))
        : null;

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(watcher.RunAsync(stoppingToken), FollowAsync(stoppingToken));

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var known in watcher.ChangesAsync(cancellationToken))
            {
                if (Project(known) is { } next && !next.HasSameNodes(_current))
                {
                    _current = next;
                    Changed?.Invoke();
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The silo stops.
        }
    }
}
