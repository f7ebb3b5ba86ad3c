using System.Net.Sockets;
using System.Text;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// A userspace device that only talks: a Unix socket that answers every request with what the test wants, well-formed or not.
/// </summary>
internal sealed class UapiServer : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("owg-uapi-");
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<string, Socket, CancellationToken, Task> _answer;
    private readonly Task _running;
    private readonly string _path;

    /// <summary>Starts listening.</summary>
    /// <param name="name">Interface name.</param>
    /// <param name="answer">Is given the request and the connection, which is closed when it is done.</param>
    public UapiServer(string name, Func<string, Socket, CancellationToken, Task> answer)
    {
        _answer = answer;
        _path = Path.Join(_directory.FullName, $"{name}.sock");
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen();
        _running = RunAsync();
    }

    /// <summary>Starts listening and gives one answer to everything.</summary>
    public UapiServer(string name, string answer)
        : this(name, async (_, socket, token) => await socket.SendAsync(Encoding.ASCII.GetBytes(answer), token))
    {
    }

    /// <summary>What was asked, in order.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>Where the socket is.</summary>
    public string SocketDirectory => _directory.FullName;

    /// <summary>Stops listening, but leaves the socket's file, as a process does that is killed.</summary>
    public void Die()
    {
        // Out of the way, because the framework removes the file when it closes the socket.
        File.Move(_path, _path + ".kept");
        _listener.Dispose();
        File.Move(_path + ".kept", _path);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
        _directory.Delete(recursive: true);
    }

    private async Task RunAsync()
    {
        while (true)
        {
            using var socket = await _listener.AcceptAsync(_stopping.Token);
            var request = new StringBuilder();
            var chunk = new byte[4096];
            int length;
            while ((length = await socket.ReceiveAsync(chunk, _stopping.Token)) > 0)
            {
                request.Append(Encoding.ASCII.GetString(chunk, 0, length));
                if (request.ToString().EndsWith("\n\n", StringComparison.Ordinal))
                {
                    Requests.Add(request.ToString());
                    await _answer(request.ToString(), socket, _stopping.Token);
                    break;
                }
            }
        }
    }
}
