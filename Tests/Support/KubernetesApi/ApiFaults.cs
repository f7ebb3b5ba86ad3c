namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>The fault switches: what happens to requests that a predicate selects, before they reach the server.</summary>
/// <remarks>They sit in front of the handler, so that a proxy can put the same faults in front of a real API server.</remarks>
internal sealed class ApiFaults : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<ApiFault> _faults = [];
    private CancellationTokenSource _watches = new();

    /// <summary>
    /// How far the Date of answers is from the time; beyond a moment it is the clients' clocks that are wrong, for all they can tell.
    /// </summary>
    public TimeSpan ClockOffset { get; set; }

    /// <summary>Cancelled when watches are dropped.</summary>
    public CancellationToken WatchToken
    {
        get
        {
            lock (_lock)
            {
                return _watches.Token;
            }
        }
    }

    /// <summary>Adds <paramref name="fault"/>; disposing the result removes it.</summary>
    public IDisposable Add(ApiFault fault)
    {
        lock (_lock)
        {
            _faults.Add(fault);
        }

        return new Removal(this, fault);
    }

    /// <summary>Breaks every watch that is open, without a word, as a dying connection does.</summary>
    public async Task DropWatchesAsync()
    {
        CancellationTokenSource dropped;
        lock (_lock)
        {
            dropped = _watches;
            _watches = new();
        }

        await dropped.CancelAsync();
        dropped.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _watches.Dispose();
        }
    }

    /// <summary>The first fault that applies to a request and has uses left; it counts as used.</summary>
    public ApiFault? Take(ApiRequest request)
    {
        lock (_lock)
        {
            var fault = _faults.Find(each => each.When(request));
            if (fault is not null && --fault.Remaining <= 0)
            {
                _faults.Remove(fault);
            }

            return fault;
        }
    }

    private sealed class Removal(ApiFaults owner, ApiFault fault) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._lock)
            {
                owner._faults.Remove(fault);
            }
        }
    }
}

/// <summary>What a request asks for, as far as faults select by it.</summary>
internal sealed record ApiRequest(string Method, string Path, bool IsWatch, string Query = "", string Token = "");

/// <summary>One fault.</summary>
internal sealed class ApiFault
{
    public required Func<ApiRequest, bool> When { get; init; }

    /// <summary>How many requests it still hits.</summary>
    public int Remaining { get; set; } = int.MaxValue;

    /// <summary>Waits so long before anything else.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>Answers with this instead of handling the request.</summary>
    public ApiException? Error { get; init; }

    /// <summary>Seconds in the Retry-After header.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>Answers 200 with this instead of handling the request.</summary>
    public byte[]? Answer { get; init; }

    /// <summary>Says nothing for ever: before <see cref="Answer"/> if there is none, else after it.</summary>
    public bool Hangs { get; init; }

    /// <summary>Resets the stream after <see cref="Answer"/>, in the middle of what was to come.</summary>
    public bool Resets { get; init; }

    /// <summary>Handles the request, then cuts the connection instead of answering: the write happened, its author cannot know.</summary>
    public bool LosesAnswer { get; init; }
}
