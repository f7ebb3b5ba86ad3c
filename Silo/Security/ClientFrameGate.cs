using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Orleans.Serialization;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Security;

/// <summary>
/// Sees to it that a client of the gateway speaks as a client: the sender of a message is what it says itself, and nobody else looks.
/// </summary>
/// <remarks>
/// <see cref="CallFilter"/> tells clients from silos by the sender, and the gateway forwards messages in the name of its own silo. A client
/// that named a silo's system target, or the client that every silo has in its own process (<c>hosted-…</c>), would be taken for that.
/// </remarks>
internal sealed partial class ClientFrameGate(
    Serializer<ClientPreamble> preambles, TimeProvider timeProvider, ILogger<ClientFrameGate> logger)
{
    private readonly Lock _lock = new();
    private readonly LogPace _refusals = new(timeProvider);

    /// <summary>The middleware. It stands behind <see cref="ConnectionGuard"/>, so the preamble is complete.</summary>
    public ConnectionDelegate Use(ConnectionDelegate next) => connection => RunAsync(connection, next);

    private async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var raw = connection.Transport;
        var pipe = new Pipe(new PipeOptions(
            pauseWriterThreshold: ConnectionLimits.MaxBufferedBytes,
            resumeWriterThreshold: ConnectionLimits.MaxBufferedBytes / 2, useSynchronizationContext: false));
        connection.Transport = new Duplex(pipe.Reader, raw.Output);
        var pump = PumpAsync(connection, raw.Input, pipe.Writer);
        try
        {
            await next(connection);
        }
        finally
        {
            await pipe.Reader.CompleteAsync();
            connection.Transport = raw;
            raw.Input.CancelPendingRead();
            await pump;
        }
    }

    private async Task PumpAsync(ConnectionContext connection, PipeReader source, PipeWriter target)
    {
        Exception? fault = null;
        try
        {
            var isFirst = true;
            var left = 0L;
            while (true)
            {
                var read = await source.ReadAsync();
                var buffer = read.Buffer;
                if (isFirst)
                {
                    buffer = PassPreamble(buffer, target);
                    isFirst = false;
                }

                buffer = Pass(buffer, target, ref left);
                source.AdvanceTo(buffer.Start, buffer.End);
                var flush = await target.FlushAsync();
                if (flush.IsCompleted || read.IsCompleted || read.IsCanceled)
                {
                    return;
                }
            }
        }
        catch (InvalidDataException e)
        {
            fault = e;
            TellRefused(connection.RemoteEndPoint?.ToString() ?? "a client", e.Message);
            connection.Abort();
        }
        catch (Exception e) when (e is IOException or ConnectionAbortedException or InvalidOperationException)
        {
            // The other side is gone, or Orleans has closed the pipe.
            fault = e;
        }
        finally
        {
            await target.CompleteAsync(fault);
        }
    }

    private ReadOnlySequence<byte> PassPreamble(ReadOnlySequence<byte> buffer, PipeWriter target)
    {
        var reader = new SequenceReader<byte>(buffer);
        _ = reader.TryReadLittleEndian(out int length);
        var body = buffer.Slice(sizeof(int), length);
        GrainId client;
        try
        {
            client = preambles.Deserialize(body)?.NodeIdentity ?? default;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new InvalidDataException("a preamble that cannot be read", e);
        }

        ThrowUnlessClient(client);
        Copy(buffer.Slice(0, body.End), target);
        return buffer.Slice(body.End);
    }

    private static ReadOnlySequence<byte> Pass(ReadOnlySequence<byte> buffer, PipeWriter target, ref long left)
    {
        while (true)
        {
            if (left == 0)
            {
                if (FrameHead.TryRead(buffer) is not { } head)
                {
                    return buffer;
                }

                ThrowUnlessClient(head.Sender);
                left = head.Length;
            }

            var part = buffer.Slice(0, Math.Min(left, buffer.Length));
            if (part.IsEmpty)
            {
                return buffer;
            }

            Copy(part, target);
            left -= part.Length;
            buffer = buffer.Slice(part.End);
        }
    }

    private static void Copy(ReadOnlySequence<byte> bytes, PipeWriter target)
    {
        foreach (var memory in bytes)
        {
            target.Write(memory.Span);
        }
    }

    private static void ThrowUnlessClient(GrainId sender)
    {
        if (!CallFilter.IsOutsideClient(sender))
        {
            throw new InvalidDataException($"speaks as {CallFilter.Show(sender)}, which is no client");
        }
    }

    private void TellRefused(string client, string fault)
    {
        long count;
        lock (_lock)
        {
            count = _refusals.Note("gateway", fault);
        }

        if (count > 0)
        {
            LogRefused(logger, client, fault, count);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Closed the connection of client {Client} at the gateway: {Fault} ({Count} since the last such line)")]
    private static partial void LogRefused(ILogger logger, string client, string fault, long count);

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
