using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.DependencyInjection;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>
/// The part of kube-apiserver that the silo uses, on loopback over HTTPS with bearer tokens, with switches for every fault.
/// </summary>
/// <remarks>
/// Where this server and a real one differ, this server is wrong: the same tests run against both. What it leaves out: protobuf,
/// server-side apply, JSON patch, admission (but for the policies of <see cref="Registry.Admit"/>), quota, deletion of what an owner
/// reference points to (the garbage collector).
/// </remarks>
internal sealed class TestApiServer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, ApiUser> _users = new();
    private X509Certificate2 _certificate;
    private readonly TimeProvider _timeProvider;
    private readonly ApiHandler _handler;
    private readonly FaultMiddleware _middleware;
    private WebApplication? _host;
    private int _port;

    private readonly RealApiForwarder? _forwarder;

    private readonly IPAddress _listenAddress;

    private TestApiServer(TimeProvider timeProvider, string? kubeConfig, IPAddress listenAddress, int port)
    {
        (_timeProvider, _listenAddress, _port) = (timeProvider, listenAddress, port);
        (AuthorityPem, _certificate) = Certificates.Create(timeProvider.GetUtcNow(), listenAddress);
        Registry = new(timeProvider);
        Watches = new(Registry, timeProvider);
        _handler = new(Registry, _users, Watches, AddToken);
        _middleware = new(Faults, Requests, timeProvider);
        AdminToken = AddToken("system:admin", AccessRule.Everything);
        _forwarder = kubeConfig is null ? null : new(kubeConfig, AdminToken);

        // Those that every cluster has and somebody here uses.
        foreach (var name in new[] { "default", "kube-system" })
        {
            Registry.Create(
                BuiltInTypes.Namespaces, null, new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } }, dryRun: false);
        }
    }

    public Registry Registry { get; }

    public WatchHandler Watches { get; }

    public ApiFaults Faults { get; } = new();

    public RequestLog Requests { get; } = new();

    /// <summary>The certificate authority that clients must trust.</summary>
    public string AuthorityPem { get; private set; }

    /// <summary>May do everything.</summary>
    public string AdminToken { get; }

    public Uri Address => new($"https://{new IPEndPoint(_listenAddress, _port)}");

    /// <summary>Gets a line when a request comes and one when it is answered.</summary>
    public Action<string>? AccessLog { get; init; }

    /// <summary>Whether requests go on to a real API server; faults and the request log are here all the same.</summary>
    public bool IsProxy => _forwarder is not null;

    /// <summary>Starts a server.</summary>
    /// <param name="timeProvider">Its clock.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <param name="kubeConfig">A real API server to which requests go on; null for none.</param>
    /// <param name="address">Where it listens; null for loopback.</param>
    /// <param name="port">TCP port; 0 for any that is free.</param>
    /// <param name="accessLog">Gets a line when a request comes and one when it is answered.</param>
    public static async Task<TestApiServer> StartAsync(
        TimeProvider timeProvider, CancellationToken cancellationToken, string? kubeConfig =
            null, IPAddress? address = null, int port = 0, Action<string>? accessLog = null)
    {
        var server = new TestApiServer(timeProvider, kubeConfig, address ?? IPAddress.Loopback, port) { AccessLog = accessLog };
        await server.ListenAsync(cancellationToken);
        return server;
    }

    /// <summary>Makes a token; without rules it may do nothing.</summary>
    public string AddToken(string user, params AccessRule[] rules)
    {
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        _users[token] = new(user, rules);
        return token;
    }

    /// <summary>
    /// Another authority from now on, as when a cluster's is rotated; takes effect with the next <see cref="ListenAsync"/>.
    /// </summary>
    public void ReplaceAuthority()
    {
        _certificate.Dispose();
        (AuthorityPem, _certificate) = Certificates.Create(_timeProvider.GetUtcNow(), _listenAddress);
    }

    public void ExpireToken(string token) => _users[token].IsExpired = true;

    /// <summary>An outage: connections break and new ones are refused until <see cref="ListenAsync"/>. Objects stay.</summary>
    public async Task StopListeningAsync()
    {
        if (Interlocked.Exchange(ref _host, null) is { } host)
        {
            await Faults.DropWatchesAsync();
            using var now = new CancellationTokenSource(TimeSpan.Zero, _timeProvider);
            await host.StopAsync(now.Token);
            await host.DisposeAsync();
        }
    }

    /// <summary>
    /// The server hangs until the result is disposed of, and then is another one: the system takes connections for it, and nobody answers
    /// them. A process that hangs (SIGSTOP) goes on with the connections it had.
    /// </summary>
    public async Task<IAsyncDisposable> HangAsync()
    {
        await StopListeningAsync();
        var deaf = new Socket(_listenAddress.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        deaf.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        deaf.Bind(new IPEndPoint(_listenAddress, _port));
        deaf.Listen();
        return new Hang(this, deaf);
    }

    /// <summary>Starts to listen, on the same port as before an outage, after which watches from before it are refused.</summary>
    public async Task ListenAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(options =>
        {
            options.Limits.MaxRequestBodySize = null;
            options.Limits.MinResponseDataRate = null;
            options.Listen(_listenAddress, _port, listen => listen.UseHttps(_certificate));
        });
        var host = builder.Build();
        host.Use(LogAccessAsync);
        host.Use((context, next) => _middleware.InvokeAsync(context, next));
        host.Run(_forwarder is null ? _handler.HandleAsync : _forwarder.ForwardAsync);
        Registry.Store.Restart();
        await host.StartAsync(cancellationToken);
        var addresses = host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!;
        _port = new Uri(addresses.Addresses.First()).Port;
        _host = host;
    }

    private async Task LogAccessAsync(HttpContext context, RequestDelegate next)
    {
        var request = $"{context.Connection.RemoteIpAddress} {context.Request.Method} {context.Request.GetEncodedPathAndQuery()}";
        AccessLog?.Invoke(request);
        var started = _timeProvider.GetTimestamp();
        try
        {
            await next(context);
        }
        finally
        {
            AccessLog?.Invoke(string.Create(
                CultureInfo.InvariantCulture,
                $"{request} answered {context.Response.StatusCode} after {_timeProvider.GetElapsedTime(started).TotalMilliseconds:0} ms"));
        }
    }

    private sealed class Hang(TestApiServer server, Socket deaf) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            deaf.Dispose();
            await server.ListenAsync(CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopListeningAsync();
        Faults.Dispose();
        _forwarder?.Dispose();
        _certificate.Dispose();
    }
}
