using System.Text.Json;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Keeps our own node's annotation <c>network.cilium.io/wg-pub-key</c> equal to our active public key.</summary>
/// <remarks>
/// For people and for Cilium's tools; keys travel by grains. One merge patch with a field manager of our own touches nothing else of
/// the object, and is not sent while the annotation is right. What the API server refuses, because a right is missing or a policy forbids
/// it, it will refuse again: then the pauses grow, whatever keys follow.
/// </remarks>
internal sealed partial class AnnotationPublisher
{
    private const string FieldManager = "orleans-wireguard";

    /// <summary>
    /// The longest pause after refusals, without its jitter: of 1,000 nodes that are all refused, three ask in a second; whoever mends the
    /// rights waits as long at most.
    /// </summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private readonly KubernetesApi _api;
    private readonly NodeWatcher _nodes;
    private readonly TimeProvider _timeProvider;
    private readonly TimeSpan _interval;
    private readonly ILogger<AnnotationPublisher> _logger;
    private readonly LogPace _pace;
    private readonly Lock _lock = new();
    private readonly AsyncSignal _wanted = new();
    private int _failures;
    private int _refusals;
    private PublicKey? _desired;

    /// <summary>Makes a publisher; <see cref="RunAsync"/> starts it.</summary>
    public AnnotationPublisher(
        KubernetesApi api, NodeWatcher nodes, IOptions<NodesOptions> options,
        TimeProvider timeProvider, ILogger<AnnotationPublisher> logger)
    {
        _api = api;
        _nodes = nodes;
        _timeProvider = timeProvider;
        _interval = options.Value.AnnotationInterval;
        _logger = logger;
        _pace = new LogPace(timeProvider);
    }

    /// <summary>Sets the key that the annotation shall show from now on.</summary>
    public void Publish(PublicKey key)
    {
        lock (_lock)
        {
            _desired = key;
        }

        _wanted.Set();
    }

    /// <summary>
    /// The value to write, or null if there is nothing to write: no key yet, node unknown, or the annotation is right. Pure.
    /// </summary>
    public static string? Decide(NodeRecord? node, PublicKey? desired) =>
        node is null || desired is null || node.AnnotatedKey == desired.Value.ToString() ? null : desired.Value.ToString();

    /// <summary>The pause after a write. Pure.</summary>
    /// <param name="interval">The shortest one.</param>
    /// <param name="refusals">How often the API server refused in a row; 0 after a success, or if it was away.</param>
    /// <param name="random">
    /// From 0 up to but not including 1: up to a quarter more or less after a refusal, as all nodes are refused together.
    /// </param>
    public static TimeSpan Pause(TimeSpan interval, int refusals, double random) =>
        refusals == 0 ? interval : Math.Min(LongestPause / interval, Math.Pow(2, refusals - 1)) * (0.75 + (random / 2)) * interval;

    /// <summary>Writes whenever <paramref name="nodeName"/>'s annotation differs from the published key, until cancelled.</summary>
    public async Task RunAsync(string nodeName, CancellationToken cancellationToken)
    {
        var (wroteAt, pause) = (_timeProvider.GetTimestamp(), TimeSpan.Zero);
        try
        {
            while (true)
            {
                var wanted = _wanted.Next;
                PublicKey? desired;
                lock (_lock)
                {
                    desired = _desired;
                }

                var nodes = _nodes.Current;
                var left = Timeout.InfiniteTimeSpan;
                if (_nodes.Resource is { } resource && Decide(nodes.Nodes.GetValueOrDefault(nodeName), desired) is { } value)
                {
                    left = pause - _timeProvider.GetElapsedTime(wroteAt);
                    if (left <= TimeSpan.Zero)
                    {
                        await TryWriteAsync(resource, nodeName, value, cancellationToken);

                        // Also the time in which the watch tells us our own write.
                        (wroteAt, pause) = (_timeProvider.GetTimestamp(), Pause(_interval, _refusals, _api.NextDouble()));
                        continue;
                    }
                }

                await WaitAsync(left, wanted, nodes, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The silo stops; the annotation stays, as the data plane does.
        }
    }

    /// <summary>The request that writes the annotation of a node, or removes it (null). Touches nothing else of the object.</summary>
    public static ApiCall Patch(ApiResource resource, string nodeName, string? value) => new("patch", resource, null, nodeName)
    {
        Query = "fieldManager=" + FieldManager,
        Body = JsonSerializer.SerializeToUtf8Bytes(
            new AnnotationPatch { Metadata = { Annotations = { [NodeReader.PublicKeyAnnotation] = value } } },
            NodesJson.Default.AnnotationPatch),
    };

    private async Task TryWriteAsync(ApiResource resource, string nodeName, string value, CancellationToken cancellationToken)
    {
        try
        {
            await _api.SendAsync(Patch(resource, nodeName, value), NodesJson.Default.Acknowledgement, cancellationToken);
            if (_failures > 0)
            {
                LogEnded(_logger, nodeName, _failures);
            }

            LogPublished(_logger, nodeName);
            (_failures, _refusals) = (0, 0);
        }
        catch (KubernetesApiException failure)
        {
            _failures++;
            _refusals = failure.IsTransient ? 0 : _refusals + 1;

            // Without the exception: the message says what was asked and what came, the stack only where we stand, a hundred times over.
            if (_pace.Note(nodeName, _refusals > 0 ? failure.Failure.ToString() : nameof(ApiFailure.Unavailable)) is > 0 and var count)
            {
                LogFailed(_logger, nodeName, count, failure.Message);
            }
        }
    }

    // Until the time has passed, another key is wanted or the nodes change.
    private async Task WaitAsync(TimeSpan longest, Task wanted, WatchedNodes known, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

        // Timers know whole milliseconds, and one that ends before its time would be asked for again and again.
        var pause = Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(longest.TotalMilliseconds)), _timeProvider, over.Token);
        await Task.WhenAny(pause, wanted, NextAsync(known, over.Token));
        await over.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
    }

    private async Task NextAsync(WatchedNodes known, CancellationToken cancellationToken)
    {
        await foreach (var nodes in _nodes.ChangesAsync(cancellationToken))
        {
            if (nodes.Revision != known.Revision)
            {
                return;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Published the active public key in the annotation of node {NodeName}")]
    private static partial void LogPublished(ILogger logger, string nodeName);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The annotation of node {NodeName} is not up to date, for the {Count}th time since this was last said; keys travel without it: {Reason}")]
    private static partial void LogFailed(ILogger logger, string nodeName, long count, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The annotation of node {NodeName} can be written again, after {Failures} attempts in vain")]
    private static partial void LogEnded(ILogger logger, string nodeName, int failures);
}
