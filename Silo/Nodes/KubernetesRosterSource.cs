using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>The roster that Kubernetes tells: what the watcher knows, without what the mesh does not act on.</summary>
/// <remarks>
/// An annotation changes with every key and a Node object with every heartbeat of its kubelet; neither is a change of the roster. A node
/// without addresses or pod CIDRs is listed with its problem: it is a node, and its keys go on.
/// </remarks>
internal sealed class KubernetesRosterSource(
    NodeWatcher watcher, IOptions<NodeOptions> node, AnnotationDifferences differences, EndlessLoops loops)
    : BackgroundService, INodeRosterSource
{
    /// <summary>
    /// How long an annotation may lag behind the announced key: the pause between two writes, the write and its watch event.
    /// </summary>
    private static readonly TimeSpan AnnotationGrace = TimeSpan.FromSeconds(30);

    private volatile NodeRoster? _current;
    private bool _isTold;

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public NodeRoster? Current => _current;

    /// <inheritdoc/>
    public EquatableArray<NodeProblem> FindProblems(string nodeName, PeerAnnouncement? announced)
    {
        var known = watcher.Current;
        return FindProblems(known, nodeName, announced, differences.Note(nodeName, known.Nodes.GetValueOrDefault(nodeName), announced));
    }

    /// <summary>What is wrong with a node. Pure.</summary>
    /// <param name="known">What the watcher knows.</param>
    /// <param name="nodeName">One that may have no object.</param>
    /// <param name="announced">Its current announcement; null if none is held.</param>
    /// <param name="misleading">For how long its annotation has shown another key than the announced one.</param>
    public static EquatableArray<NodeProblem> FindProblems(
        WatchedNodes known, string nodeName, PeerAnnouncement? announced, TimeSpan misleading)
    {
        if (!known.IsSynced)
        {
            return [];
        }

        if (known.Nodes.GetValueOrDefault(nodeName) is not { } node)
        {
            return [NodeProblem.Of(NodeProblemCode.NoObject, known.Kind ?? "")];
        }

        var problems = node.Problems.Select(problem => NodeProblem.Of(NodeProblemCode.ObjectWrong, node.Kind, problem)).ToList();
        if (misleading > AnnotationGrace && AnnotationDifferences.IsMisleading(node, announced))
        {
            var shown = PublicKey.TryParse(node.AnnotatedKey, out var key) ? key.ToShortString() : "";
            var active = SlotPhases.ActiveKey(announced!)!.PublicKey.ToShortString();
            problems.Add(NodeProblem.Of(NodeProblemCode.AnnotationWrong, NodeReader.PublicKeyAnnotation, shown, active));
        }

        return problems.ToEquatableArray();
    }

    /// <summary>
    /// The roster of what is known; null while it is not known completely, and if it lacks the node that asks: a list without ourselves is
    /// not that of our mesh, whatever kind of objects it has, and takes nobody away. Pure.
    /// </summary>
    public static NodeRoster? Project(WatchedNodes known, string localName) => known.IsSynced && known.Nodes.ContainsKey(localName)
        ? NodeRoster.Of(known.Nodes.Values.Where(node => NodeNameRule.IsValid(node.Name))
            .Select(node => new RosterNode(node.Name, node.Addresses, node.PodCIDRs)
            {
                Kind = node.Kind,
                CreatedAt = node.CreatedAt,
                IsExempt = node.IsExempt,
            }))
        : null;

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        loops.KeepAsync("The watch of the nodes", watcher.RunAsync, stoppingToken),
        loops.RepeatAsync("The roster", FollowAsync, failures => TimeSpan.FromSeconds(Math.Min(failures, 20)), stoppingToken));

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        await foreach (var known in watcher.ChangesAsync(cancellationToken))
        {
            if (Project(known, node.Value.Name) is { } next && (!_isTold || !next.HasSameNodes(_current)))
            {
                // Who was to hear of it and failed hears of it again.
                (_current, _isTold) = (next, false);
                Changed?.Invoke();
                _isTold = true;
            }
        }
    }
}
