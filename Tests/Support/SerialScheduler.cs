namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// Runs one thing at a time, as a grain does, also what comes behind an await; at once on the thread that brings it, if nothing runs.
/// </summary>
/// <remarks>So a test sees what a call has done when the call returns, and no two of them are in the grain at once.</remarks>
internal sealed class SerialScheduler : TaskScheduler
{
    private readonly Queue<Task> _queue = [];
    private bool _isRunning;

    /// <inheritdoc/>
    public override int MaximumConcurrencyLevel => 1;

    /// <summary>Runs something here.</summary>
    public Task<T> RunAsync<T>(Func<Task<T>> call) =>
        Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.DenyChildAttach, this).Unwrap();

    /// <inheritdoc/>
    protected override void QueueTask(Task task)
    {
        lock (_queue)
        {
            _queue.Enqueue(task);
            if (_isRunning)
            {
                return;
            }

            _isRunning = true;
        }

        while (true)
        {
            Task next;
            lock (_queue)
            {
                if (!_queue.TryDequeue(out next!))
                {
                    _isRunning = false;
                    return;
                }
            }

            _ = TryExecuteTask(next);
        }
    }

    /// <inheritdoc/>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    /// <inheritdoc/>
    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (_queue)
        {
            return [.. _queue];
        }
    }
}
