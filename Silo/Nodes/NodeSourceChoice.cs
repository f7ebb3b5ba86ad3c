using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Decides what <see cref="NodeSource.Auto"/> means here, and again when that may have changed.</summary>
/// <remarks>
/// A source is chosen by what it has: CiliumNode if one of its objects is this node, else Node. That Cilium's definition is served says
/// nothing; it stays behind when Cilium goes, and is there before Cilium has made its objects. Not thread-safe: one loop asks.
/// </remarks>
internal sealed class NodeSourceChoice(KubernetesApi api, NodesOptions options, string nodeName, TimeProvider timeProvider)
{
    // Cilium makes its objects seconds after its definition, if it makes any.
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);

    // Time for Cilium to make it again, if that is what happens. Until then what was known stays.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private ApiResource? _chosen;
    private long? _goneSince;
    private TimeSpan _pause = FirstPause;
    private long _chosenAt;

    /// <summary>
    /// Whether the roster comes from Kubernetes. A list that somebody wrote down wins over an API server that happens to be there.
    /// </summary>
    /// <param name="nodes">What is configured.</param>
    /// <param name="isApiKnown">Whether an API server is known, as <see cref="ApiConnection.IsKnown"/> says.</param>
    public static bool IsKubernetes(NodesOptions nodes, bool isApiKnown) => nodes.Source switch
    {
        NodeSource.Auto => nodes.Static.Count == 0 && isApiKnown,
        NodeSource.Static => false,
        _ => true,
    };

    /// <summary>
    /// The kind of objects to follow; asks the API server if that has not been decided yet, or may be decided otherwise by now.
    /// </summary>
    /// <param name="known">What has been read so far.</param>
    /// <param name="cancellationToken">Ends the question to the API server.</param>
    /// <exception cref="KubernetesApiException">The API server did not answer.</exception>
    public async Task<ApiResource> ChooseAsync(WatchedNodes known, CancellationToken cancellationToken)
    {
        if (options.Source is NodeSource.Node or NodeSource.CiliumNode)
        {
            return options.Source == NodeSource.Node ? ApiResource.Nodes : ApiResource.CiliumNodes;
        }

        if (_chosen is null || IsDue(known))
        {
            var former = _chosen;
            _chosen = await HasOurNodeAsync(cancellationToken) ? ApiResource.CiliumNodes : ApiResource.Nodes;
            _pause = _chosen != former ? FirstPause : _pause * 2 < options.RelistPeriod ? _pause * 2 : options.RelistPeriod;
            _chosenAt = timeProvider.GetTimestamp();
        }

        return _chosen;
    }

    /// <summary>Has it decided again: the kind that was chosen is not served any more.</summary>
    public void Reconsider() => _chosen = null;

    /// <summary>Whether to decide again.</summary>
    public bool IsDue(WatchedNodes known) => DueIn(known) <= TimeSpan.Zero;

    /// <summary>When to decide again: soon if Cilium's object of this node is gone, and now and then while it may come.</summary>
    public TimeSpan DueIn(WatchedNodes known)
    {
        if (options.Source != NodeSource.Auto || _chosen is null)
        {
            return TimeSpan.MaxValue;
        }

        if (_chosen == ApiResource.Nodes)
        {
            return _pause - timeProvider.GetElapsedTime(_chosenAt);
        }

        var isGone = known.Kind == _chosen.Kind && known.Nodes.GetValueOrDefault(nodeName)?.Kind != _chosen.Kind;
        _goneSince = isGone ? _goneSince ?? timeProvider.GetTimestamp() : null;
        return _goneSince is { } since ? Patience - timeProvider.GetElapsedTime(since) : TimeSpan.MaxValue;
    }

    // A list of one, since silos have no right to get.
    private async Task<bool> HasOurNodeAsync(CancellationToken cancellationToken)
    {
        try
        {
            var selector = "fieldSelector=" + Uri.EscapeDataString("metadata.name=" + nodeName);
            var (nodes, _) = await api.ListAsync(
                ApiResource.CiliumNodes, selector, NodesJson.Default.ResourceListNodeObject, cancellationToken);
            return nodes.Exists(node => node.Metadata.Name == nodeName);
        }
        catch (KubernetesApiException missing) when (missing.Failure == ApiFailure.MissingDefinition)
        {
            return false;
        }
    }
}
