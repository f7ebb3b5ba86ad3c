using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Tests.Unit.Supervision;

/// <summary>The laws of a signal: no change is missed, none is told twice, and a wait can be given up.</summary>
public sealed class AsyncSignalTests
{
    private readonly AsyncSignal _signal = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Set_NextWasTakenBefore_EndsItForAll()
    {
        var (first, second) = (_signal.Next, _signal.Next);
        Assert.False(first.IsCompleted);

        _signal.Set();

        Assert.True(first.IsCompletedSuccessfully);
        Assert.True(second.IsCompletedSuccessfully);
    }

    [Fact]
    public void Next_TakenAfterSet_IsTheOneAfter()
    {
        _signal.Set();
        var next = _signal.Next;
        Assert.False(next.IsCompleted);

        _signal.Set();
        Assert.True(next.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Next_ReadBeforeTheChangeAndAwaitedAfterIt_IsNoLostWakeUp()
    {
        var state = 1;
        var next = _signal.Next;
        var read = state;
        state = 2;
        _signal.Set();

        await next.WaitAsync(Token);

        Assert.NotEqual(state, read);
    }

    [Fact]
    public async Task Next_ManyChangesFromManyThreads_TheLastIsSeen()
    {
        const int Writers = 4;
        const int Changes = 20_000;
        var state = 0;
        var writers = Enumerable.Range(0, Writers).Select(_ => Task.Run(
            () =>
            {
                for (var i = 0; i < Changes; i++)
                {
                    Interlocked.Increment(ref state);
                    _signal.Set();
                }
            },
            Token));

        var reader = Task.Run(
            async () =>
            {
                while (true)
                {
                    var next = _signal.Next;
                    if (Volatile.Read(ref state) == Writers * Changes)
                    {
                        return;
                    }

                    await next;
                }
            },
            Token);

        await Task.WhenAll(writers);
        await reader.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Token);
    }

    [Fact]
    public async Task Next_WaitIsCancelled_TheOthersWaitOn()
    {
        using var tired = new CancellationTokenSource();
        var (given, kept) = (_signal.Next.WaitAsync(tired.Token), _signal.Next.WaitAsync(Token));
        await tired.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        Assert.False(kept.IsCompleted);

        _signal.Set();

        await kept;
    }

    // Who sets it may hold a lock, or have more to do.
    [Fact]
    public async Task Set_WaiterThatBlocks_DoesNotBlockWhoSets()
    {
        using var go = new ManualResetEventSlim();
        var waiter = _signal.Next.ContinueWith(
            _ => go.Wait(Token), Token, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

        await Task.Run(_signal.Set, Token).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Token);

        go.Set();
        await waiter;
    }
}
