using System.Net;
using System.Net.Sockets;

namespace Orleans.WireGuard.LocalMesh.Processes;

/// <summary>HTTP from inside a network namespace.</summary>
internal static class NamespaceHttp
{
    /// <summary>A handler whose connections begin in a namespace. It uses no proxy.</summary>
    /// <param name="networkNamespace">The name of the namespace; addresses in requests are numbers.</param>
    public static SocketsHttpHandler CreateHandler(string networkNamespace) => new()
    {
        UseProxy = false,
        ConnectCallback = (context, token) => ConnectAsync(networkNamespace, context, token),
    };

    private static async ValueTask<Stream> ConnectAsync(
        string networkNamespace, SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = NetworkNamespace.Run(
            networkNamespace, () => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        try
        {
            await socket.ConnectAsync(IPEndPoint.Parse($"{context.DnsEndPoint.Host}:{context.DnsEndPoint.Port}"), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
