namespace Orleans.WireGuard.Supervision;

/// <summary>Tells everybody who waits that something has changed, once for each change.</summary>
/// <remarks>
/// What changed is read elsewhere. Who takes <see cref="Next"/> before it reads misses nothing: a change is either in what it read, or
/// ends what it took. Whoever changes something sets the signal afterwards.
/// <code>
/// var next = signal.Next;      state = newer;
/// use(state);                  signal.Set();
/// await next;
/// </code>
/// </remarks>
internal sealed class AsyncSignal
{
    private volatile TaskCompletionSource _next = New();

    /// <summary>Ends with the first <see cref="Set"/> from now on.</summary>
    public Task Next => _next.Task;

    /// <summary>Ends what was taken before. Nobody's continuation runs in here.</summary>
    public void Set() => Interlocked.Exchange(ref _next, New()).SetResult();

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
