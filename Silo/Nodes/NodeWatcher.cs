using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Follows the nodes of the cluster: a list, then a watch from there, again and again, whatever the API server does.</summary>
/// <remarks>
/// A failure never forgets a node: the mesh keeps what it knows. Callers read <see cref="Current"/> and wait for the next one; they
/// get the newest state, not every step to it.
/// </remarks>
internal sealed partial class NodeWatcher
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(20);

    private readonly KubernetesApi _api;
    private readonly NodesOptions _options;
    private readonly NodeSourceChoice _choice;
    private readonly TimeProvider _time;
    private readonly ILogger<NodeWatcher> _logger;
    private readonly StateLog _failing;
    private readonly Lock _gate = new();
    private WatchedNodes _current = WatchedNodes.Unknown;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Makes a watcher; <see cref="RunAsync"/> starts it.</summary>
    public NodeWatcher(
        KubernetesApi api, IOptions<NodesOptions> options, IOptions<NodeOptions> node, TimeProvider time, ILogger<NodeWatcher> logger)
    {
        _choice = new NodeSourceChoice(api, options.Value, node.Value.Name, time);
        _failing = new StateLog(time);
        _api = api;
        _options = options.Value;
        _time = time;
        _logger = logger;
    }

    /// <summary>What is known now.</summary>
    public WatchedNodes Current
    {
        get
        {
            lock (_gate)
            {
                return _current;
            }
        }
    }

    /// <summary>The kind that is watched; null until it is known.</summary>
    public ApiResource? Resource { get; private set; }

    /// <summary>Why what is known may be outdated; null while the watch runs.</summary>
    public string? Problem { get; private set; }

    /// <summary>Every state from now on, beginning with the current one; a slow reader skips to the newest.</summary>
    public async IAsyncEnumerable<WatchedNodes> ChangesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            WatchedNodes nodes;
            Task changed;
            lock (_gate)
            {
                (nodes, changed) = (_current, _changed.Task);
            }

            yield return nodes;
            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Lists and watches until cancelled; never throws anything else.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        string? from = null;
        var relistAt = 0L;
        for (var failures = 0; ; failures++)
        {
            try
            {
                if (await _choice.ChooseAsync(Current, cancellationToken) is var chosen && chosen != Resource)
                {
                    (Resource, from) = (chosen, null);
                    LogChosen(_logger, chosen.Kind);
                }

                if (from is null || _time.GetTimestamp() >= relistAt)
                {
                    (var items, from) = await _api.ListAsync(Resource, string.Empty, NodesJson.Default.ResourceListNodeObject, cancellationToken);
                    relistAt = _time.GetTimestamp() + (long)(_options.RelistPeriod.TotalSeconds * (1 + (0.1 * _api.NextDouble())) * _time.TimestampFrequency);
                    Publish(nodes => nodes.Replace(items.Select(item => NodeReader.Read(item, chosen)), chosen.Kind));
                }

                var call = Watch(Resource, from, relistAt);
                await foreach (var change in _api.WatchAsync(call, NodesJson.Default.WatchEventNodeObject, cancellationToken, NoteAnswered))
                {
                    failures = 0;
                    from = change.Object?.Metadata.ResourceVersion ?? from;
                    Apply(change, chosen);
                    if (_choice.IsDue(Current))
                    {
                        break;
                    }
                }
            }
            catch (KubernetesApiException gone) when (gone.Failure is ApiFailure.Gone)
            {
                LogGone(_logger, Resource!.Plural);
                from = null;
            }
            catch (KubernetesApiException failure)
            {
                Problem = failure.Message;
                if (failure.Failure == ApiFailure.MissingDefinition)
                {
                    _choice.Reconsider();
                }

                if (_failing.Note("", failure.Message) is { } line)
                {
                    LogFailed(_logger, failure.Message, line.Count, line.IsNew ? failure : null);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }

            // Full jitter, also after a proper end: all nodes of a cluster run this loop.
            var longest = Math.Min(FirstPause.Ticks << Math.Min(failures, 10), LongestPause.Ticks);
            try
            {
                await Task.Delay(TimeSpan.FromTicks((long)(longest * _api.NextDouble())), _time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void NoteAnswered()
    {
        Problem = null;
        if (_failing.End("") is { } end)
        {
            LogFollowedAgain(_logger, end.Count, end.Duration);
        }
    }

    private void Apply(WatchEvent<NodeObject> change, ApiResource resource)
    {
        if (change.Object is not { Metadata.Name: { } name } source)
        {
            return;
        }

        switch (change.Type)
        {
            case "ADDED" or "MODIFIED":
                Publish(nodes => nodes.With(NodeReader.Read(source, resource)));
                break;
            case "DELETED":
                LogDeleted(_logger, name);
                Publish(nodes => nodes.Without(name, source.Metadata.Uid ?? string.Empty));
                break;
        }
    }

    private void Publish(Func<WatchedNodes, WatchedNodes> change)
    {
        lock (_gate)
        {
            var next = change(_current);
            if (ReferenceEquals(next, _current))
            {
                return;
            }

            _current = next;
            var changed = _changed;
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
            changed.SetResult();
        }
    }

    private ApiCall Watch(ApiResource resource, string from, long relistAt)
    {
        // The watch ends when the next list or the next look at the other kind is due, or after 4 to 5 minutes.
        var left = (int)Math.Min((relistAt - _time.GetTimestamp()) / _time.TimestampFrequency, _choice.DueIn(Current).TotalSeconds);
        var seconds = Math.Clamp(left, 1, 240 + (int)(60 * _api.NextDouble()));
        return new("watch", resource, null, null)
        {
            Query = $"watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={Uri.EscapeDataString(from)}",
        };
    }

    [LoggerMessage(EventId = 5201, Level = LogLevel.Warning, Message = "Nodes cannot be followed: {Problem} The mesh keeps what it knows ({Count} times since the last such line)")]
    private static partial void LogFailed(ILogger logger, string problem, long count, Exception? failure);

    [LoggerMessage(Level = LogLevel.Information, Message = "Nodes are followed again, after {Count} failures in {Duration}")]
    private static partial void LogFollowedAgain(ILogger logger, long count, TimeSpan duration);

    [LoggerMessage(EventId = 5202, Level = LogLevel.Information, Message = "The watch of {Resource} was away too long to go on; listing anew")]
    private static partial void LogGone(ILogger logger, string resource);

    [LoggerMessage(EventId = 5203, Level = LogLevel.Information, Message = "Nodes come from {Kind} objects from now on")]
    private static partial void LogChosen(ILogger logger, string kind);

    [LoggerMessage(EventId = 5204, Level = LogLevel.Information, Message = "Node {NodeName} was deleted")]
    private static partial void LogDeleted(ILogger logger, string nodeName);
}
