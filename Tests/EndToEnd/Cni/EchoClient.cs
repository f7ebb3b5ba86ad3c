using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>Connects out of a namespace, sends what an <see cref="EchoServer"/> sends back, and compares.</summary>
internal static class EchoClient
{
    /// <summary>Bytes each way: several full segments, so that a way on which only small packets pass is seen.</summary>
    public const int Length = 6 * 1024;

    private const int Piece = 1400;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    // Linux sends a SYN again after a second (RFC 6298); a little less, for the time that is not the network's.
    private static readonly TimeSpan FirstRetransmission = TimeSpan.FromMilliseconds(900);

    /// <summary>Does it once.</summary>
    /// <param name="networkNamespace">Where it begins; <see langword="null"/> for the host, which is no node.</param>
    /// <param name="server">To whom.</param>
    /// <param name="content">What is sent.</param>
    /// <param name="patience">For all of it.</param>
    /// <param name="token">Gives up.</param>
    /// <returns>Whether all came back.</returns>
    public static async Task<bool> ExchangeAsync(
        string? networkNamespace, IPEndPoint server, byte[] content, TimeSpan patience, CancellationToken token)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(patience);
        using var socket = Open(networkNamespace);
        try
        {
            await socket.ConnectAsync(server, limit.Token);
            await SendAsync(socket, content, limit.Token);
            var answer = new byte[content.Length];
            await ReceiveAsync(socket, answer, limit.Token);
            return answer.AsSpan().SequenceEqual(content);
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !token.IsCancellationRequested))
        {
            return false;
        }
    }

    /// <summary>Connects again and again until it succeeds.</summary>
    public static async Task<NewPod> ReachAsync(
        string networkNamespace, IPEndPoint server, TimeSpan patience, TimeProvider timeProvider, CancellationToken token)
    {
        var started = timeProvider.GetTimestamp();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(patience);
        for (var attempt = 1; !limit.IsCancellationRequested; attempt++)
        {
            using var socket = Open(networkNamespace);
            try
            {
                await socket.ConnectAsync(server, limit.Token);
                var after = timeProvider.GetElapsedTime(started);
                return new NewPod(after, attempt == 1 && after < FirstRetransmission);
            }
            catch (SocketException)
            {
                await Task.Delay(Pause, timeProvider, token);
            }
            catch (OperationCanceledException) when (!token.IsCancellationRequested)
            {
                break;
            }
        }

        return new NewPod(After: null, IsAtOnce: false);
    }

    /// <summary>Sends all of it, in pieces that are a packet each, of nearly the size that an Ethernet carries.</summary>
    /// <remarks>A larger piece would leave the pod as one packet to be divided later, which passes where a full packet does not.</remarks>
    public static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> content, CancellationToken token)
    {
        while (content.Length > 0)
        {
            content = content[await socket.SendAsync(content[..Math.Min(Piece, content.Length)], token)..];
        }
    }

    /// <summary>Fills the buffer.</summary>
    /// <exception cref="SocketException">The other side ended before.</exception>
    public static async Task ReceiveAsync(Socket socket, Memory<byte> buffer, CancellationToken token)
    {
        while (buffer.Length > 0)
        {
            var length = await socket.ReceiveAsync(buffer, token);
            buffer = length > 0 ? buffer[length..] : throw new SocketException((int)SocketError.ConnectionReset);
        }
    }

    // A socket belongs to the namespace of the thread that made it.
    private static Socket Open(string? networkNamespace) =>
        networkNamespace is null ? Create() : NetworkNamespace.Run(networkNamespace, Create);

    private static Socket Create() => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
}
