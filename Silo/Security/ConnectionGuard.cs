using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Security;

/// <summary>Lets a connection through to Orleans when it has said who it is, and closes one that says nothing.</summary>
/// <remarks>
/// Orleans waits for the preamble for ever, and on the silo port it sends its own one first, with the cluster's name in it. Here nothing is
/// sent before the other side's preamble is complete. It is looked at and left in the pipe, so Orleans reads it as if nobody had been
/// there.
/// </remarks>
internal sealed partial class ConnectionGuard(
    string port, ConnectionLimits limits, TimeProvider timeProvider, ILogger<ConnectionGuard> logger)
{
    private const int LengthBytes = sizeof(int);

    private readonly Lock _lock = new();
    private readonly LogPace _refusals = new(timeProvider);

    /// <summary>The connections that are open.</summary>
    public ConnectionBudget Budget { get; } = new(limits);

    /// <summary>The middleware.</summary>
    public ConnectionDelegate Use(ConnectionDelegate next) => connection => RunAsync(connection, next);

    private async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        // In-process transports have no addresses.
        var address = (connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None;
        using var place = Budget.TryTake(address, connection.Abort);
        var fault = place is null ? $"has {limits.MaxPerAddress} connections already" : await FindFaultAsync(connection);
        if (fault is not null)
        {
            TellRefused(address.ToString(), fault);
            connection.Abort();
            return;
        }

        place!.Speak();
        await next(connection);
    }

    private async Task<string?> FindFaultAsync(ConnectionContext connection)
    {
        using var timeout = new CancellationTokenSource(limits.PreambleTimeout, timeProvider);
        try
        {
            while (true)
            {
                var read = await connection.Transport.Input.ReadAsync(timeout.Token);
                var (isComplete, fault) = Judge(read.Buffer);

                // Examined up to the end only if more has to come: what is complete has to be there for Orleans at once.
                connection.Transport.Input.AdvanceTo(read.Buffer.Start, isComplete ? read.Buffer.Start : read.Buffer.End);
                if (isComplete || fault is not null)
                {
                    return fault;
                }

                if (read.IsCompleted || read.IsCanceled)
                {
                    return "went before it had said who it is";
                }
            }
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return $"did not say who it is within {limits.PreambleTimeout.TotalSeconds:0.#} s";
        }
        catch (Exception e) when (e is IOException or ConnectionAbortedException)
        {
            // Reset by the other side, or its place was needed.
            return "went before it had said who it is";
        }
    }

    private static (bool IsComplete, string? Fault) Judge(ReadOnlySequence<byte> buffer)
    {
        if (buffer.Length < LengthBytes)
        {
            return (false, null);
        }

        Span<byte> bytes = stackalloc byte[LengthBytes];
        buffer.Slice(0, LengthBytes).CopyTo(bytes);
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        return length is <= 0 or > ConnectionLimits.MaxPreambleBytes
            ? (false, "does not speak Orleans")
            : (buffer.Length >= LengthBytes + length, null);
    }

    private void TellRefused(string address, string fault)
    {
        long count;
        lock (_lock)
        {
            count = _refusals.Note(address, fault);
        }

        if (count > 0)
        {
            LogRefused(logger, port, address, fault, count);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning, Message = "Closed a connection to the {Port} port: {Address} {Fault} ({Count} since the last such line)")]
    private static partial void LogRefused(ILogger logger, string port, string address, string fault, long count);
}
