using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>Listens in a namespace and sends back what comes, <see cref="EchoClient.Length"/> bytes a connection.</summary>
internal sealed class EchoServer : IAsyncDisposable
{
    private const int Backlog = 512;

    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _listener;
    private readonly Task _loop;

    /// <summary>Starts.</summary>
    /// <param name="networkNamespace">Where; it needs no address yet.</param>
    public EchoServer(string networkNamespace)
    {
        _listener = NetworkNamespace.Run(networkNamespace, () =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Any, CniPlan.PodPort));
            socket.Listen(Backlog);
            return socket;
        });
        _loop = AcceptAsync(_stop.Token);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync(CancellationToken token)
    {
        var answers = new List<Task>();
        try
        {
            while (true)
            {
                answers.Add(AnswerAsync(await _listener.AcceptAsync(token), token));
                answers.RemoveAll(answer => answer.IsCompleted);
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(answers);
        }
    }

    private static async Task AnswerAsync(Socket connection, CancellationToken token)
    {
        using (connection)
        {
            try
            {
                connection.NoDelay = true;
                var content = new byte[EchoClient.Length];
                await EchoClient.ReceiveAsync(connection, content, token);
                await EchoClient.SendAsync(connection, content, token);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // The other side counts it.
            }
        }
    }
}
