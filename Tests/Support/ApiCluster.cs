using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Supervision;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>A Kubernetes API for tests, with our definition installed and a namespace of its own that is removed at the end.</summary>
/// <remarks>
/// The test server by default; a real cluster when <c>KUBECONFIG</c> is set, through a proxy that puts the same faults in front of it.
/// </remarks>
public sealed class ApiCluster : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("owg-kube-").FullName;
    private readonly List<IDisposable> _owned = [];
    private readonly List<string> _clusterRoles = [];
    private HttpClient _admin = new();

    internal TestApiServer Server { get; private set; } = null!;

    /// <summary>Where the server listens; null for loopback.</summary>
    internal IPAddress? Address { get; init; }

    internal string Namespace { get; } = $"owg-test-{Guid.NewGuid():N}"[..24];

    /// <summary>Whether a real API server answers. What only the test server can do is skipped then.</summary>
    internal bool IsReal => Server.IsProxy;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var kubeConfig = Environment.GetEnvironmentVariable("KUBECONFIG");
        Server = await TestApiServer.StartAsync(
            TimeProvider.System, cancellationToken, string.IsNullOrEmpty(kubeConfig) ? null : kubeConfig, Address);
        await File.WriteAllTextAsync(AuthorityFile, Server.AuthorityPem, cancellationToken);
        _admin = CreateHttpClient(Server.AdminToken);
        await ApplyDefinitionAsync("deploy/crds/orleansclusters.yaml", cancellationToken);
        var (created, text) = await SendAsync(
            HttpMethod.Post, "api/v1/namespaces", new JsonObject { ["metadata"] = new JsonObject { ["name"] = Namespace } });
        Assert.True(created == HttpStatusCode.Created, text);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var owned in Enumerable.Reverse(_owned))
        {
            owned.Dispose();
        }

        // A start that failed has no server; that failure is what the run shall show.
        if (Server is not null)
        {
            foreach (var name in _clusterRoles)
            {
                using var role = await _admin.DeleteAsync(
                    new Uri(Server.Address, $"apis/rbac.authorization.k8s.io/v1/clusterroles/{name}"), CancellationToken.None);
                using var binding = await _admin.DeleteAsync(
                    new Uri(Server.Address, $"apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}"), CancellationToken.None);
            }

            // Nobody waits for its end, which needs a controller that a server on its own does not have.
            using var answer = await _admin.DeleteAsync(new Uri(Server.Address, $"api/v1/namespaces/{Namespace}"), CancellationToken.None);
            await Server.DisposeAsync();
        }

        _admin.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Restarts the server with a certificate of another authority; the file that clients read keeps the old one.</summary>
    internal async Task ReplaceAuthorityAsync()
    {
        await Server.StopListeningAsync();
        Server.ReplaceAuthority();
        await Server.ListenAsync(TestContext.Current.CancellationToken);
        _admin.Dispose();
        _admin = CreateHttpClient(Server.AdminToken);
    }

    internal string AuthorityFile => Path.Combine(_folder, "ca.crt");

    /// <summary>A file with a bearer token, as the kubelet mounts one.</summary>
    internal string WriteToken(string token)
    {
        var file = Path.Combine(_folder, Guid.NewGuid().ToString("N"));
        File.WriteAllText(file, token + "\n");
        return file;
    }

    internal void Configure(KubernetesApiOptions options, string? tokenFile = null)
    {
        options.Address = Server.Address;
        options.CertificateAuthorityFile = AuthorityFile;
        options.TokenFile = tokenFile ?? WriteToken(Server.AdminToken);
        options.Namespace = Namespace;
        options.RetryDelay = TimeSpan.FromMilliseconds(20);

        // Also where the tests run in a pod.
        options.Pod = null;
    }

    internal Api.KubernetesApi CreateApi(
        Action<KubernetesApiOptions>? change = null, string? tokenFile = null, TimeProvider? timeProvider = null, Random? random = null)
    {
        var options = new KubernetesApiOptions();
        Configure(options, tokenFile);
        change?.Invoke(options);
        var api = new Api.KubernetesApi(
            Options.Create(options), timeProvider ?? TimeProvider.System, new Jitter(random ?? new Random()), Logger<Api.KubernetesApi>());
        lock (_owned)
        {
            _owned.Add(api);
        }

        return api;
    }

    /// <summary>A table as one silo has it: with a client and a heartbeat cache of its own.</summary>
    internal KubernetesMembershipTable CreateTable(
        string clusterId,
        Action<KubernetesApiOptions>? changeApi = null,
        Action<KubernetesClusteringOptions>? change = null,
        string? tokenFile = null,
        ClusteringHealth? health = null,
        TimeProvider? timeProvider = null)
    {
        var clustering = new KubernetesClusteringOptions { HeartbeatStaleness = TimeSpan.Zero, InitializationTimeout = TimeSpan.Zero };
        change?.Invoke(clustering);
        var api = CreateApi(changeApi, tokenFile, timeProvider);
        var cluster = Options.Create(new ClusterOptions { ClusterId = clusterId });
        var heartbeats = new HeartbeatStore(api, TimeProvider.System, Options.Create(clustering), cluster);
        lock (_owned)
        {
            _owned.Add(heartbeats);
        }

        return new(api, heartbeats, health
            ?? new(TimeProvider.System), Options.Create(clustering), cluster, TimeProvider.System, Logger<KubernetesMembershipTable>());
    }

    internal async Task<KubernetesMembershipTable> CreateInitializedTableAsync(string clusterId)
    {
        var table = CreateTable(clusterId);
        await table.InitializeMembershipTableAsync(true, TestContext.Current.CancellationToken);
        return table;
    }

    internal KubernetesGatewayListProvider CreateGateways(string clusterId) =>
        new(CreateApi(), Options.Create(new ClusterOptions { ClusterId = clusterId }), Options.Create(new GatewayOptions()));

    /// <summary>A request of the administrator, with the answer's text.</summary>
    internal async Task<(HttpStatusCode Code, string Text)> SendAsync(
        HttpMethod method, string path, JsonNode? body =
            null, string? token = null, string contentType = "application/json", string? accept = null)
    {
        using var own = token is null ? null : CreateHttpClient(token);
        using var request = new HttpRequestMessage(method, new Uri(Server.Address, path));
        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, contentType);
        }

        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept", accept);
        }

        using var response = await (own ?? _admin).SendAsync(request, TestContext.Current.CancellationToken);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>A user with exactly these rights, and a token of theirs; a service account with a role on a real cluster.</summary>
    internal async Task<string> CreateUserAsync(params AccessRule[] rules)
    {
        if (!IsReal)
        {
            return Server.AddToken($"system:serviceaccount:{Namespace}:test", rules);
        }

        var name = $"owg-user-{Guid.NewGuid():N}"[..24];
        JsonObject Named() => new() { ["name"] = name };
        await PostAsync($"api/v1/namespaces/{Namespace}/serviceaccounts", new JsonObject { ["metadata"] = Named() });
        const string Rbac = "apis/rbac.authorization.k8s.io/v1";
        await GrantAsync($"{Rbac}/namespaces/{Namespace}/role", "Role", rules.Where(rule => rule.Namespace is not null));
        if (rules.Any(rule => rule.Namespace is null))
        {
            // Of no namespace, so they do not go with ours.
            await GrantAsync($"{Rbac}/clusterrole", "ClusterRole", rules.Where(rule => rule.Namespace is null));
            _clusterRoles.Add(name);
        }

        var token = await PostAsync(
            $"api/v1/namespaces/{Namespace}/serviceaccounts/{name}/token", new JsonObject { ["spec"] = new JsonObject() });
        return (string)token["status"]!["token"]!;

        async Task GrantAsync(string path, string kind, IEnumerable<AccessRule> granted)
        {
            var items = granted.Select(rule => new JsonObject
            {
                ["apiGroups"] = new JsonArray(rule.Group),
                ["resources"] = new JsonArray(rule.Resource),
                ["verbs"] = new JsonArray([.. rule.Verbs.Select(verb => JsonValue.Create(verb))]),
            });
            await PostAsync(path + "s", new JsonObject { ["metadata"] = Named(), ["rules"] = new JsonArray([.. items]) });
            await PostAsync(path + "bindings", new JsonObject
            {
                ["metadata"] = Named(),
                ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = kind, ["name"] = name },
                ["subjects"] = new JsonArray(new JsonObject { ["kind"] = "ServiceAccount", ["name"] = name, ["namespace"] = Namespace }),
            });
        }
    }

    internal async Task<JsonNode> PostAsync(string path, JsonObject body)
    {
        var (code, text) = await SendAsync(HttpMethod.Post, path, body);
        Assert.True(code == HttpStatusCode.Created, text);
        return JsonNode.Parse(text)!;
    }

    internal string ClusterPath(string? name = null) =>
        $"apis/orleans.wireguard/v1/namespaces/{Namespace}/orleansclusters{(name is null ? string.Empty : "/" + name)}";

    internal string LeasePath(string? name = null) =>
        $"apis/coordination.k8s.io/v1/namespaces/{Namespace}/leases{(name is null ? string.Empty : "/" + name)}";

    internal HttpClient CreateHttpClient(string token)
    {
        var authority = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(Server.AuthorityPem);
        var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, _) =>
        {
            chain!.ChainPolicy.TrustMode = System.Security.Cryptography.X509Certificates.X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(authority);
            return chain.Build((System.Security.Cryptography.X509Certificates.X509Certificate2)certificate!);
        };
        return new HttpClient(handler) { DefaultRequestHeaders = { Authorization = new("Bearer", token) } };
    }

    internal async Task ApplyDefinitionAsync(string file, CancellationToken cancellationToken)
    {
        var yaml = await File.ReadAllTextAsync(RepositoryFiles.Find(file), cancellationToken);
        var definition = KubernetesYaml.Deserialize<V1CustomResourceDefinition>(yaml);
        var (code, text) = await SendAsync(
            HttpMethod.Post, "apis/apiextensions.k8s.io/v1/customresourcedefinitions", JsonNode.Parse(
                KubernetesJson.Serialize(definition)));
        Assert.True(code is HttpStatusCode.Created or HttpStatusCode.Conflict, text);

        // A real server serves a new kind a moment after it accepted the definition.
        var path = $"apis/{definition.Spec.Group}/{definition.Spec.Versions[0].Name}/{definition.Spec.Names.Plural}";
        while ((await SendAsync(HttpMethod.Get, path)).Code == HttpStatusCode.NotFound)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancellationToken);
        }
    }

    internal static ILogger<T> Logger<T>() => new TestLogger<T>();

    /// <summary>For parts that ask who the silo is only where the table is another one.</summary>
    internal static ILocalSiloDetails NoSilo =>
        Stub.Of<ILocalSiloDetails>((method, _) => throw new InvalidOperationException($"Nobody expected {method.Name}."));

    /// <summary>What keeps loops where there is no host; <paramref name="host"/> tells whether it would have been stopped.</summary>
    internal static EndlessLoops Loops(out ApplicationLifetime host)
    {
        host = new ApplicationLifetime(new TestLogger<ApplicationLifetime>());
        return new(new ServiceCollection().BuildServiceProvider(), host, TimeProvider.System, Logger<EndlessLoops>());
    }

    private sealed class TestLogger<T> : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            TestContext.Current.TestOutputHelper?.WriteLine($"{logLevel} {eventId.Id} {formatter(state, exception)} {exception?.Message}");
    }
}
