using System.Text.Json;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Keeps our own node's annotation <c>network.cilium.io/wg-pub-key</c> equal to our active public key.</summary>
/// <remarks>
/// For people and for Cilium's tools; keys travel by grains. One merge patch with a field manager of our own touches nothing else of
/// the object, and is not sent while the annotation is right.
/// </remarks>
internal sealed partial class AnnotationPublisher
{
    private const string FieldManager = "orleans-wireguard";

    private readonly KubernetesApi _api;
    private readonly NodeWatcher _nodes;
    private readonly TimeProvider _time;
    private readonly TimeSpan _interval;
    private readonly ILogger<AnnotationPublisher> _logger;
    private readonly Lock _gate = new();
    private PublicKey? _desired;
    private TaskCompletionSource _wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Makes a publisher; <see cref="RunAsync"/> starts it.</summary>
    public AnnotationPublisher(
        KubernetesApi api, NodeWatcher nodes, IOptions<NodesOptions> options, TimeProvider time, ILogger<AnnotationPublisher> logger)
    {
        _api = api;
        _nodes = nodes;
        _time = time;
        _interval = options.Value.AnnotationInterval;
        _logger = logger;
    }

    /// <summary>Sets the key that the annotation shall show from now on.</summary>
    public void Publish(PublicKey key)
    {
        lock (_gate)
        {
            _desired = key;
            var wanted = _wanted;
            _wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);
            wanted.SetResult();
        }
    }

    /// <summary>The value to write, or null if there is nothing to write: no key yet, node unknown, or the annotation is right. Pure.</summary>
    public static string? Decide(NodeRecord? node, PublicKey? desired) =>
        node is null || desired is null || node.AnnotatedKey == desired.Value.ToString() ? null : desired.Value.ToString();

    /// <summary>Writes whenever <paramref name="nodeName"/>'s annotation differs from the published key, until cancelled.</summary>
    public async Task RunAsync(string nodeName, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                PublicKey? desired;
                Task wanted;
                lock (_gate)
                {
                    (desired, wanted) = (_desired, _wanted.Task);
                }

                var nodes = _nodes.Current;
                if (_nodes.Resource is { } resource && Decide(nodes.Nodes.GetValueOrDefault(nodeName), desired) is { } value)
                {
                    await TryWriteAsync(resource, nodeName, value, cancellationToken);

                    // Also the time in which the watch tells us our own write.
                    await Task.Delay(_interval, _time, cancellationToken);
                    continue;
                }

                await Task.WhenAny(wanted, NextAsync(nodes, cancellationToken)).WaitAsync(cancellationToken);
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
            new AnnotationPatch { Metadata = { Annotations = { [NodeReader.PublicKeyAnnotation] = value } } }, NodesJson.Default.AnnotationPatch),
    };

    private async Task TryWriteAsync(ApiResource resource, string nodeName, string value, CancellationToken cancellationToken)
    {
        try
        {
            await _api.SendAsync(Patch(resource, nodeName, value), ClusteringJson.Compact.Acknowledgement, cancellationToken);
            LogPublished(_logger, nodeName);
        }
        catch (KubernetesApiException failure)
        {
            LogFailed(_logger, nodeName, failure);
        }
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

    [LoggerMessage(EventId = 5211, Level = LogLevel.Information, Message = "Published the active public key in the annotation of node {NodeName}")]
    private static partial void LogPublished(ILogger logger, string nodeName);

    [LoggerMessage(EventId = 5212, Level = LogLevel.Warning, Message = "The annotation of node {NodeName} is not up to date; keys travel without it")]
    private static partial void LogFailed(ILogger logger, string nodeName, Exception failure);
}
