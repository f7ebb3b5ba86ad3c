namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>The turns of a grain: a call begins when the one before it has ended.</summary>
internal sealed class Mailbox(Simulation simulation)
{
    private readonly Queue<Func<Task>> _calls = [];
    private bool _isBusy;

    /// <summary>Calls the grain, now or when it is free.</summary>
    /// <returns>The end of the call.</returns>
    public Task PostAsync(Func<Task> call)
    {
        var ended = new TaskCompletionSource();
        _calls.Enqueue(async () =>
        {
            try
            {
                await call();
                ended.SetResult();
            }
            catch (Exception e)
            {
                ended.SetException(e);
                simulation.Fail(e);
            }
        });
        if (!_isBusy)
        {
            _ = WorkAsync();
        }

        return ended.Task;
    }

    private async Task WorkAsync()
    {
        _isBusy = true;
        while (_calls.TryDequeue(out var call))
        {
            await call();
        }

        _isBusy = false;
    }
}
