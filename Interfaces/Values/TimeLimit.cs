namespace Orleans.WireGuard;

/// <summary>A token that is cancelled when a time has passed, and before that with the caller's.</summary>
/// <remarks>
/// Who catches the cancellation asks which of the two it was: the caller's own token first, for both may be cancelled by then.
/// </remarks>
internal sealed class TimeLimit : IDisposable
{
    private readonly CancellationTokenSource _time;
    private readonly CancellationTokenSource _either;

    /// <summary>Begins to count.</summary>
    public TimeLimit(TimeSpan limit, TimeProvider timeProvider, CancellationToken cancellationToken = default)
    {
        _time = new CancellationTokenSource(limit, timeProvider);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_time.Token, cancellationToken);
    }

    /// <summary>For whatever must not take longer.</summary>
    public CancellationToken Token => _either.Token;

    /// <summary>Whether the time has passed, whatever the caller did.</summary>
    public bool IsOver => _time.IsCancellationRequested;

    /// <inheritdoc/>
    public void Dispose()
    {
        // The linked one first: it is registered with the other.
        _either.Dispose();
        _time.Dispose();
    }
}
