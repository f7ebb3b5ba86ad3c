using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Orleans.WireGuard.LocalMesh.Silos;

/// <summary>A minimal Redis client (RESP2), enough to read every byte that the membership store holds.</summary>
/// <remarks><see href="https://redis.io/docs/latest/develop/reference/protocol-spec/"/>.</remarks>
internal sealed class RespClient : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly BufferedStream _stream;

    private RespClient(Socket socket)
    {
        _socket = socket;
        _stream = new BufferedStream(new NetworkStream(socket, ownsSocket: false));
    }

    /// <summary>Connects.</summary>
    public static async Task<RespClient> ConnectAsync(IPAddress address, int port, CancellationToken cancellationToken)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(address, port, cancellationToken);
            return new RespClient(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends a command and returns the reply: string, long, byte[], object?[] or <see langword="null"/>.</summary>
    /// <exception cref="IOException">The server answered with an error or something that is no reply.</exception>
    public async Task<object?> SendAsync(CancellationToken cancellationToken, params object[] command)
    {
        await _stream.WriteAsync(Encode(command), cancellationToken);
        await _stream.FlushAsync(cancellationToken);
        return await ReadAsync(cancellationToken);
    }

    /// <summary>Every key with its value as the server serializes it.</summary>
    public async Task<IReadOnlyList<(byte[] Key, byte[] Value)>> DumpAllAsync(CancellationToken cancellationToken)
    {
        var found = new List<(byte[], byte[])>();
        var keys = (object?[])(await SendAsync(cancellationToken, "KEYS", "*"))!;
        foreach (var key in keys.OfType<byte[]>())
        {
            // DUMP knows every type; a key may have expired since.
            if (await SendAsync(cancellationToken, "DUMP", key) is byte[] value)
            {
                found.Add((key, value));
            }
        }

        return found;
    }

    /// <summary>A command as an array of bulk strings.</summary>
    public static byte[] Encode(params object[] command)
    {
        using var buffer = new MemoryStream();
        Write(buffer, $"*{command.Length}\r\n");
        foreach (var part in command)
        {
            var bytes = part as byte[] ?? Encoding.UTF8.GetBytes((string)part);
            Write(buffer, $"${bytes.Length}\r\n");
            buffer.Write(bytes);
            Write(buffer, "\r\n");
        }

        return buffer.ToArray();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _socket.Dispose();
    }

    private static void Write(MemoryStream buffer, FormattableString text) => buffer.Write(Encoding.ASCII.GetBytes(FormattableString.Invariant(text)));

    private static void Write(MemoryStream buffer, string text) => buffer.Write(Encoding.ASCII.GetBytes(text));

    private async Task<object?> ReadAsync(CancellationToken cancellationToken)
    {
        var line = await ReadLineAsync(cancellationToken);
        var rest = line.Length > 0 ? line[1..] : "";
        switch (line.FirstOrDefault())
        {
            case '+':
                return rest;
            case '-':
                throw new IOException("Redis refused the command: " + rest);
            case ':':
                return long.Parse(rest, CultureInfo.InvariantCulture);
            case '$':
                var length = int.Parse(rest, CultureInfo.InvariantCulture);
                if (length < 0)
                {
                    return null;
                }

                var bytes = new byte[length + 2];
                await _stream.ReadExactlyAsync(bytes, cancellationToken);
                return bytes[..length];
            case '*':
                var items = new object?[Math.Max(0, int.Parse(rest, CultureInfo.InvariantCulture))];
                for (var i = 0; i < items.Length; i++)
                {
                    items[i] = await ReadAsync(cancellationToken);
                }

                return items;
            default:
                throw new IOException($"Expected a RESP reply, got '{line}'.");
        }
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (true)
        {
            await _stream.ReadExactlyAsync(one, cancellationToken);
            if (one[0] == '\n')
            {
                return line.ToString().TrimEnd('\r');
            }

            line.Append((char)one[0]);
        }
    }
}
