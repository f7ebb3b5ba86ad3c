using System.Net;
using System.Net.Sockets;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Tells whether a process listens at an address.</summary>
internal static class TcpProbe
{
    /// <summary>How long a connection may take: a thousand times what it takes within a cluster.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

    /// <summary>Whether a connection is accepted within a second. A process that hangs accepts one, too.</summary>
    public static async Task<bool> AnswersAsync(IPEndPoint endpoint, CancellationToken cancellationToken) =>
        await ConnectAsync(endpoint, cancellationToken) == SocketError.Success;

    /// <summary>How an attempt to connect ends within a second.</summary>
    /// <returns>
    /// <see cref="SocketError.Success"/>, <see cref="SocketError.TimedOut"/> if nothing came back, else what the kernel said, such as
    /// <see cref="SocketError.ConnectionRefused"/>.
    /// </returns>
    public static async Task<SocketError> ConnectAsync(IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        using var limit = new TimeLimit(Timeout, TimeProvider.System, cancellationToken);
        using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(endpoint, limit.Token);
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return SocketError.TimedOut;
        }
    }
}
