using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using k8s;
using k8s.Authentication;

namespace Orleans.WireGuard.Api;

/// <summary>Where the API server is and who we are: address, authorities, token or client certificate, namespace.</summary>
/// <remarks>
/// KubernetesClient finds and reads all of that; the requests themselves are ours, because a watch of metadata only needs its own Accept
/// header.
/// </remarks>
internal sealed class ApiConnection : IDisposable
{
    // A watch may be silent for a minute. A connection whose other end vanished is found by these pings, not by TCP after a quarter of an
    // hour.
    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(10);

    private readonly Kubernetes _client;
    private readonly string? _tokenFile;
    private readonly IReadOnlyList<string> _kubeConfigs;
    private readonly byte[] _kubeConfigDigest;
    private ITokenProvider? _tokens;

    /// <summary>Reads the configuration; the server is not asked yet.</summary>
    /// <exception cref="Exception">
    /// There is no configuration, it cannot be read, or it must not be used (<see cref="ApiTargetRules"/>).
    /// </exception>
    public ApiConnection(KubernetesApiOptions options)
    {
        // Also who skips the validation, as a cleanup does, sends no token where it does not belong.
        Refuse(ApiTargetRules.FindFaults(options, options.Pod));

        // Before it is read: what is written in between is a change.
        _kubeConfigs = KubeConfigChoice.Find(options, Environment.GetEnvironmentVariable(KubernetesApiOptions.KubeConfigVariable));
        _kubeConfigDigest = Digest(_kubeConfigs);
        (var configuration, _tokenFile, var authorityFile) = Load(options, _kubeConfigs);
        Refuse(ApiTargetRules.FindFault(configuration.Host));
        SocketsHttpHandler? made = null;
        configuration.FirstMessageHandlerSetup = handler =>
        {
            if (handler is SocketsHttpHandler sockets)
            {
                made = sockets;
                sockets.KeepAlivePingDelay = PingDelay;
                sockets.KeepAlivePingTimeout = PingTimeout;
                sockets.ConnectTimeout = options.RequestTimeout;
                sockets.PooledConnectionLifetime = TimeSpan.FromMinutes(10);
            }
        };
        _tokens = _tokenFile is null ? null : new TokenFileAuth(_tokenFile);
        _client = new Kubernetes(configuration);
        if (made is not null && authorityFile is not null && _client.BaseUri.Scheme == Uri.UriSchemeHttps)
        {
            // After KubernetesClient has set its own check, which knows the authorities of now only.
            made.SslOptions.RemoteCertificateValidationCallback = new AuthorityFile(authorityFile).Accepts;
        }

        // The namespace file of a pod ends with whatever its author typed; a line break in a URL would be an error without a face.
        Namespace = (options.Namespace ?? configuration.Namespace)?.Trim() is { Length: > 0 } space ? space : "default";
    }

    /// <summary>Base address, with a slash at its end.</summary>
    public Uri Server => _client.BaseUri;

    /// <summary>Namespace of our objects.</summary>
    public string Namespace { get; }

    /// <summary>Sends one message with our credentials; the answer's body is not read yet.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage message, CancellationToken cancellationToken)
    {
        if (_tokens is { } tokens)
        {
            AuthenticationHeaderValue header = await tokens.GetAuthenticationHeaderAsync(cancellationToken);
            message.Headers.Authorization = header;
        }
        else if (_client.Credentials is { } credentials)
        {
            await credentials.ProcessHttpRequestAsync(message, cancellationToken);
        }

        return await _client.HttpClient.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    /// <summary>Forgets the token that was read from a file, so that the next request reads it again.</summary>
    /// <returns>False if there is no file to read again.</returns>
    public bool TryReloadToken()
    {
        if (_tokenFile is null)
        {
            return false;
        }

        // KubernetesClient's provider keeps a token for a minute; a new provider begins by reading.
        _tokens = new TokenFileAuth(_tokenFile);
        return true;
    }

    /// <summary>Whether the kubeconfig is not what was read of it; false where there is none.</summary>
    public bool IsOutdated() => !Digest(_kubeConfigs).AsSpan().SequenceEqual(_kubeConfigDigest);

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    /// <summary>
    /// Whether there is a configured API server, a pod's service account, or the variable KUBECONFIG. A kubeconfig that merely lies in the
    /// home directory does not count: who has one is an operator, not a node.
    /// </summary>
    public static bool IsKnown(KubernetesApiOptions options) =>
        options.Address is not null
        || !string.IsNullOrEmpty(options.KubeConfigPath)
        || KubernetesClientConfiguration.IsInCluster()
        || KubeConfigChoice.Named(Environment.GetEnvironmentVariable(KubernetesApiOptions.KubeConfigVariable)).Count > 0;

    private static void Refuse(params IReadOnlyCollection<string> faults)
    {
        if (faults.Count > 0)
        {
            throw new InvalidOperationException(string.Join(" ", faults));
        }
    }

    // One that appears or goes away changes it too.
    private static byte[] Digest(IEnumerable<string> files) => SHA256.HashData(
        [.. files.SelectMany(file => File.Exists(file) ? SHA256.HashData(File.ReadAllBytes(file)) : new byte[SHA256.HashSizeInBytes])]);

    private static X509Certificate2Collection Authorities(string file)
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(file);
        return authorities;
    }

    private static (KubernetesClientConfiguration Configuration, string? TokenFile, string? AuthorityFile) Load(
        KubernetesApiOptions options, IReadOnlyList<string> kubeConfigs)
    {
        // In a pod its own, whatever is configured: a setting that says otherwise was refused.
        if (options.Pod is not null)
        {
            return (KubernetesClientConfiguration.InClusterConfig(), PodIdentity.TokenFile, PodIdentity.AuthorityFile);
        }

        if (options.Address is { } address)
        {
            var authority = options.CertificateAuthorityFile;
            var configuration = new KubernetesClientConfiguration
            {
                Host = address.AbsoluteUri,
                SslCaCerts = authority is null ? null : Authorities(authority),
            };
            return (configuration, options.TokenFile, authority);
        }

        return (KubeConfigChoice.Load(kubeConfigs), null, null);
    }
}
