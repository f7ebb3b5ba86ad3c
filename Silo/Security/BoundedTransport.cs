using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace Orleans.WireGuard.Silo.Security;

/// <summary>
/// Kestrel's sockets in place of Orleans' own: those read as fast as a peer sends, whether anybody handles it or not, and keep it all.
/// </summary>
/// <remarks>
/// A message may be longer than the buffer: what the reader has looked at does not count, so it never waits for itself. The keys under
/// which Orleans looks for its transports are internal, so what is registered is found and replaced.
/// </remarks>
internal static class BoundedTransport
{
    // As in Orleans: a peer whose machine is gone is noticed after six and a half minutes, if membership does not notice it sooner.
    private static readonly TimeSpan KeepAliveTime = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(30);
    private const int KeepAliveRetries = 10;

    /// <summary>Replaces the transports of a silo.</summary>
    public static IServiceCollection UseBoundedTransport(this IServiceCollection services)
    {
        Replace<IConnectionListenerFactory>(services, CreateListener);
        Replace<IConnectionFactory>(services, provider => new Connector(provider.GetRequiredService<ILoggerFactory>()));
        return services;
    }

    /// <summary>Makes the listening side.</summary>
    public static IConnectionListenerFactory CreateListener(IServiceProvider services) => new SocketTransportFactory(
        Options.Create(new SocketTransportOptions
        {
            MaxReadBufferSize = ConnectionLimits.MaxBufferedBytes,
            MaxWriteBufferSize = ConnectionLimits.MaxBufferedBytes,

            // What is accepted inherits it.
            CreateBoundListenSocket = static endpoint => KeepAlive(SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint)),
        }),
        services.GetRequiredService<ILoggerFactory>());

    private static void Replace<T>(IServiceCollection services, Func<IServiceProvider, T> create)
        where T : class
    {
        foreach (var registered in services.Where(service => service.IsKeyedService && service.ServiceType == typeof(T)).ToList())
        {
            services.Remove(registered);
            services.AddKeyedSingleton(registered.ServiceKey, (provider, _) => create(provider));
        }
    }

    private static Socket KeepAlive(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, (int)KeepAliveTime.TotalSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, (int)KeepAliveInterval.TotalSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveRetries);
        return socket;
    }

    private sealed class Connector(ILoggerFactory loggers) : IConnectionFactory, IDisposable
    {
        private readonly SocketConnectionContextFactory _contexts = new(
            new SocketConnectionFactoryOptions
            {
                MaxReadBufferSize = ConnectionLimits.MaxBufferedBytes,
                MaxWriteBufferSize = ConnectionLimits.MaxBufferedBytes,
            },
            loggers.CreateLogger<SocketConnectionContextFactory>());

        public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
        {
            var socket = KeepAlive(new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
            try
            {
                await socket.ConnectAsync(endpoint, cancellationToken);
                return _contexts.Create(socket);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        public void Dispose() => _contexts.Dispose();
    }
}
