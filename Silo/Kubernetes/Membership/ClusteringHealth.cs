namespace Orleans.WireGuard.Membership;

/// <summary>Whether membership works right now, in words, for readiness and status.</summary>
internal sealed class ClusteringHealth(TimeProvider timeProvider)
{
    private volatile State _state = new(null, null);

    private volatile string? _watchProblem;

    /// <summary>What is wrong; null if the last request succeeded or none was made, and changes are watched.</summary>
    public string? Problem => _state.Problem ?? _watchProblem;

    /// <summary>When a request last succeeded.</summary>
    public DateTimeOffset? LastSuccess => _state.LastSuccess;

    /// <summary>A request succeeded.</summary>
    public void OnSuccess() => _state = new(null, timeProvider.GetUtcNow());

    /// <summary>A request failed for <paramref name="reason"/>.</summary>
    public void OnFailure(string reason) => _state = _state with { Problem = reason };

    /// <summary>Changes are not watched for <paramref name="problem"/>, or are again (null).</summary>
    public void OnWatch(string? problem) => _watchProblem = problem;

    private sealed record State(string? Problem, DateTimeOffset? LastSuccess);
}
