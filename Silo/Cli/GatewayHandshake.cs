using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>Learns why Orleans' handshake with a gateway failed. Orleans itself only says that it could not connect.</summary>
/// <remarks>
/// Both sides say first which cluster they belong to. A gateway of another cluster says so and closes the connection, and whether Orleans'
/// client reads that before it sees the end depends on timing; here it always does.
/// </remarks>
internal sealed class GatewayHandshake
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(0.25);

    private readonly TaskCompletionSource<Exception> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// What went wrong in the first connection that ended, by <see cref="SettleAsync"/>; <see langword="null"/> if none had ended then.
    /// </summary>
    public Exception? Failure { get; private set; }

    /// <summary>Whether the other side said nothing, and ended nothing, until Orleans gave up.</summary>
    public bool IsSilent { get; private set; }

    /// <summary>Looks what became of the handshake, after a moment if it has not ended.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAny(_ended.Task, Task.Delay(Grace, TimeProvider.System, cancellationToken));
        Failure = _ended.Task.IsCompletedSuccessfully ? await _ended.Task : null;
    }

    /// <summary>Follows the connections of a client.</summary>
    public void Follow(IConnectionBuilder builder) => builder.Use(next => async context =>
    {
        try
        {
            context.Transport = new Transport(new PatientReader(context.Transport.Input, () =>
                IsSilent |= !context.ConnectionClosed.IsCancellationRequested), context.Transport.Output);
            await next(context);
        }
        catch (Exception e)
        {
            _ended.TrySetResult(e);
            throw;
        }
    });

    private sealed record Transport(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>Hands out what has come before it tells that nothing more will.</summary>
    /// <param name="inner">What is read.</param>
    /// <param name="onGivenUp">Told when we end the reading before anything has come.</param>
    private sealed class PatientReader(PipeReader inner, Action onGivenUp) : PipeReader
    {
        // What the last read handed out to its end without telling it. A second read that brings nothing new is told.
        private long _told = -1;

        public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            Hide(await inner.ReadAsync(cancellationToken));

        public override bool TryRead(out ReadResult result)
        {
            var isRead = inner.TryRead(out result);
            result = Hide(result);
            return isRead;
        }

        public override void AdvanceTo(SequencePosition consumed) => inner.AdvanceTo(consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => inner.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        private ReadResult Hide(ReadResult result)
        {
            if (result is { IsCanceled: true, Buffer.IsEmpty: true } && _told < 0)
            {
                onGivenUp();
            }

            var isNew = result.Buffer.Length > 0 && result.Buffer.Length != _told;
            _told = result.Buffer.Length;
            return isNew ? new ReadResult(result.Buffer, isCanceled: false, isCompleted: false) : result;
        }
    }
}
