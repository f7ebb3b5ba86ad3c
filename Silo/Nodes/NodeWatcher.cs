using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Follows the nodes of the cluster: a list, then a watch from there, again and again, whatever the API server does.</summary>
/// <remarks>
/// A failure never forgets a node: the mesh keeps what it knows. Callers read <see cref="Current"/> and wait for the next one; they
/// get the newest state, not every step to it.
/// </remarks>
internal sealed partial class NodeWatcher
{
    private readonly KubernetesApi _api;
    private readonly NodeSourceChoice _choice;
    private readonly ListWatch<NodeObject> _watch;
    private readonly ILogger<NodeWatcher> _logger;
    private readonly IReadOnlyList<LabelSelector> _exempt;
    private readonly string _localName;
    private readonly Lock _lock = new();
    private readonly AsyncSignal _changed = new();
    private WatchedNodes _current = WatchedNodes.Unknown;

    /// <summary>Makes a watcher; <see cref="RunAsync"/> starts it.</summary>
    public NodeWatcher(
        KubernetesApi api, IOptions<NodesOptions> options, IOptions<NodeOptions> node,
        TimeProvider timeProvider, ILogger<NodeWatcher> logger)
    {
        _choice = new NodeSourceChoice(api, options.Value, node.Value.Name, timeProvider);
        (_exempt, _localName) = (LabelSelector.Of(options.Value), node.Value.Name);
        _api = api;
        _logger = logger;
        _watch = new(api, timeProvider, logger, "nodes")
        {
            BeginsAnew = ChooseAsync,
            List = ListAsync,
            RelistPeriod = options.Value.RelistPeriod,
            Rest = () => _choice.DueIn(Current),
            Watch = query => new("watch", Resource!, null, null) { Query = query },
            Type = NodesJson.Default.WatchEventNodeObject,
            Apply = Apply,
            OnFailure = NoteFailure,
        };
    }

    /// <summary>What is known now.</summary>
    public WatchedNodes Current
    {
        get
        {
            lock (_lock)
            {
                return _current;
            }
        }
    }

    /// <summary>The kind that is watched; null until it is known.</summary>
    public ApiResource? Resource { get; private set; }

    /// <summary>Why what is known may be outdated; null while the watch runs.</summary>
    public string? Problem => _watch.Problem;

    /// <summary>Every state from now on, beginning with the current one; a slow reader skips to the newest.</summary>
    public async IAsyncEnumerable<WatchedNodes> ChangesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = _changed.Next;
            yield return Current;
            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Lists and watches until cancelled; never throws.</summary>
    public Task RunAsync(CancellationToken cancellationToken) => _watch.RunAsync(cancellationToken);

    private async Task<bool> ChooseAsync(CancellationToken cancellationToken)
    {
        var chosen = await _choice.ChooseAsync(Current, cancellationToken);
        if (chosen == Resource)
        {
            return false;
        }

        Resource = chosen;
        LogChosen(_logger, chosen.Kind);
        return true;
    }

    private async Task<string> ListAsync(CancellationToken cancellationToken)
    {
        var resource = Resource!;
        var (items, version) = await _api.ListAsync(resource, string.Empty, NodesJson.Default.ResourceListNodeObject, cancellationToken);
        Publish(nodes => nodes.Replace(items.Select(Read), resource.Kind));
        return version;
    }

    private void Apply(WatchEvent<NodeObject> change)
    {
        var source = change.Object!;
        if (change.Type == WatchEventType.Deleted)
        {
            LogDeleted(_logger, source.Metadata.Name!);
            Publish(nodes => nodes.Without(source.Metadata.Name!, source.Metadata.Uid ?? string.Empty));
        }
        else
        {
            Publish(nodes => nodes.With(Read(source)));
        }
    }

    private NodeRecord Read(NodeObject source)
    {
        var node = NodeReader.Read(source, Resource!, _exempt);

        // Of a large cluster they would be most of what is kept, and change with most pods.
        return node.Name == _localName ? node : node with { PoolAddresses = [] };
    }

    private void NoteFailure(Exception failure)
    {
        if (failure is KubernetesApiException { Failure: ApiFailure.MissingDefinition })
        {
            _choice.Reconsider();
        }
    }

    private void Publish(Func<WatchedNodes, WatchedNodes> change)
    {
        lock (_lock)
        {
            var next = change(_current);
            if (ReferenceEquals(next, _current))
            {
                return;
            }

            _current = next;
        }

        _changed.Set();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Nodes come from {Kind} objects from now on")]
    private static partial void LogChosen(ILogger logger, string kind);

    [LoggerMessage(Level = LogLevel.Information, Message = "Node {NodeName} was deleted")]
    private static partial void LogDeleted(ILogger logger, string nodeName);
}
