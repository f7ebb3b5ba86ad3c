using System.Net.Sockets;

namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>A connection to the socket of a userspace device; see https://www.wireguard.com/xplatform/. It carries one request.</summary>
/// <remarks>
/// One request only, because wireguard-go leaves the rest of a request that it refused in the stream and would read it as the next one.
/// </remarks>
internal sealed class UapiConnection : IDisposable
{
    private const int ReadSize = 4096;

    private readonly Socket _socket;

    private UapiConnection(Socket socket) => _socket = socket;

    /// <summary>Connects, or returns <see langword="null"/> if nobody listens: there is no such socket, or its process is gone.</summary>
    /// <exception cref="SocketException">The socket is there, but refuses us.</exception>
    public static async Task<UapiConnection?> TryConnectAsync(string path, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        UapiConnection? connection = null;
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            connection = new UapiConnection(socket);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused || !File.Exists(path))
        {
            // The file outlives its process when that is killed, and may go away between the two calls.
        }
        finally
        {
            if (connection is null)
            {
                socket.Dispose();
            }
        }

        return connection;
    }

    /// <summary>Sends a request and waits for its reply.</summary>
    /// <param name="request">A whole request.</param>
    /// <param name="reply">Receives the reply up to its empty line, or up to where the device closed the connection.</param>
    /// <param name="cancellationToken">Must have a limit: a device may never answer.</param>
    /// <exception cref="SocketException">The connection broke.</exception>
    /// <exception cref="InvalidDataException">The reply is larger than <paramref name="reply"/> takes.</exception>
    public async Task ExchangeAsync(ReadOnlyMemory<byte> request, SecretBuffer reply, CancellationToken cancellationToken)
    {
        var sent = SendAsync(request, cancellationToken);
        try
        {
            int length;
            do
            {
                length = await _socket.ReceiveAsync(reply.GetMemory(ReadSize), cancellationToken);
                reply.Advance(length);
            }
            while (length > 0 && !reply.WrittenSpan.EndsWith("\n\n"u8));

            if (reply.Length == 0)
            {
                // The device closed the connection instead of answering. It depends on timing whether the system calls that a reset.
                throw new SocketException((int)SocketError.ConnectionReset);
            }
        }
        finally
        {
            // Also after a failure: the caller zeroes the request as soon as this returns.
            try
            {
                await sent;
            }
            catch (SocketException) when (reply.Length > 0)
            {
                // The device may answer and close before it read everything. Then the answer says why.
            }
        }
    }

    /// <summary>Waits until the device closes the connection, which a healthy one does only when its process ends.</summary>
    public async Task WaitForEndAsync(CancellationToken cancellationToken)
    {
        var ignored = new byte[ReadSize];
        try
        {
            while (await _socket.ReceiveAsync(ignored, cancellationToken) > 0)
            {
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // The process ended without having accepted the connection.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private async Task SendAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        while (!request.IsEmpty)
        {
            request = request[await _socket.SendAsync(request, cancellationToken)..];
        }
    }
}
