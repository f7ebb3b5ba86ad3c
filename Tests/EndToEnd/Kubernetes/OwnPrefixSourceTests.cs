using System.Text.Json.Nodes;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Silo.Nodes.Prefixes;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>What node <c>a</c> has for its pods, by the API server and a kernel that the test makes up.</summary>
[Trait("Kind", "Sockets")]
public sealed class OwnPrefixSourceTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string PodCIDR = "10.2.0.0/24";

    private readonly ApiCluster _cluster = new();
    private readonly FakePodDump _kernel = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _cluster.InitializeAsync();
        Assert.SkipWhen(_cluster.IsReal, "would install definitions of others into a shared cluster");
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    // As a cluster that worked before: what the list of the nodes says, and nobody else's object asked for.
    [Fact]
    public async Task Auto_NothingButNodes_IsThePodCIDROfTheNode()
    {
        await CreateNodeAsync(PodCIDR);
        await using var run = await StartAsync();
        var own = await run.UntilAsync(own => own.Prefixes.Count > 0);
        Assert.Equal((PodCIDR, "Node", true), (Texts(own.Prefixes), own.Source, own.IsRosterBelieved));
        Assert.Empty(own.PodRanges);
        Assert.Equal("the API server does not serve nodenetworkconfigs.acn.azure.com", own.Because);
        Assert.Empty(run.Source.Problems);
        output.WriteLine($"known after {run.Elapsed.TotalMilliseconds:F0} ms");
        Assert.Equal(1, _cluster.Server.Requests.Count("GET", "nodenetworkconfigs"));
        Assert.DoesNotContain(_cluster.Server.Requests.Snapshot(), item => item.Request.IsWatch
            && !item.Request.Path.EndsWith("/nodes", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Auto_NodeNetworkConfig_ComesBeforeTheNodeAndIsFollowed()
    {
        await AzureObjects.InstallAsync(_cluster);
        await CreateNodeAsync(PodCIDR);
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Overlay("b", "192.168.9.0/24"));
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Overlay("a"));
        await using var run = await StartAsync();
        var own = await run.UntilAsync(own => own.Prefixes.Count > 0);
        Assert.Equal(("192.168.1.0/24", "NodeNetworkConfig", false), (Texts(own.Prefixes), own.Source, own.IsRosterBelieved));
        Assert.Equal("192.168.0.0/16", Texts(own.PodRanges));
        Assert.Equal("it is asked first", own.Because);

        await AzureObjects.WriteAsync(_cluster, AzureObjects.Overlay("a", "192.168.2.0/24"));
        await run.UntilAsync(own => Texts(own.Prefixes) == "192.168.2.0/24");
        Assert.All(
            _cluster.Server.Requests.Snapshot().Where(item => item.Request.Path.Contains("nodenetworkconfigs", StringComparison.Ordinal)
                && item.Request.Method == "GET"),
            item => Assert.Contains("metadata.name%3Da", item.Request.Query, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Auto_BatchesGrowAndShrink_AreFollowed()
    {
        await AzureObjects.InstallAsync(_cluster);
        await CreateNodeAsync(null);
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Batch("a", 16));
        _kernel.With("10.241.0.30");
        await using var run = await StartAsync();
        await run.UntilAsync(own => own.Prefixes.Count == 16);
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Batch("a", 32));
        await run.UntilAsync(own => own.Prefixes.Count == 32);

        // Sixteen are taken away, one of which a pod still has; what lingers is for whoever announces.
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Batch("a", 16, first: 38));
        var own = await run.UntilAsync(own => own.Prefixes.Count == 16 && own.Prefixes[0] == IPPrefix.Parse("10.241.0.38/32"));
        Assert.Equal("NodeNetworkConfig", own.Source);
    }

    // Of a node that was replaced by one of another name, and of a name that was used again.
    [Fact]
    public async Task Auto_ObjectOfAnotherNode_IsNotBelieved()
    {
        await AzureObjects.InstallAsync(_cluster);
        await CreateNodeAsync(PodCIDR);
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Overlay("b"));
        await using var run = await StartAsync();
        var own = await run.UntilAsync(own => own.Source == "Node");
        Assert.Equal("there is no NodeNetworkConfig object 'a' in kube-system", own.Because);

        var stolen = AzureObjects.Overlay("b", "192.168.7.0/24");
        stolen["metadata"]!["name"] = "a";
        await AzureObjects.WriteAsync(_cluster, stolen);
        await run.UntilAsync(own => own.Because.Contains("is of the node 'b', not of this one", StringComparison.Ordinal));
        Assert.Equal(PodCIDR, Texts(run.Source.Current!.Prefixes));
    }

    [Fact]
    public async Task Auto_DefinitionComesLater_IsTakenAfterAWhile()
    {
        await CreateNodeAsync(PodCIDR);
        await using var run = await StartAsync();
        await run.UntilAsync(own => own.Source == "Node");
        await AzureObjects.InstallAsync(_cluster);
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Overlay("a"));
        var own = await run.UntilAsync(own => own.Source == "NodeNetworkConfig");
        Assert.Equal("192.168.1.0/24", Texts(own.Prefixes));

        // Uninstalled, it is given up, and not before it has been so for a while.
        await _cluster.SendAsync(HttpMethod.Delete, "apis/apiextensions.k8s.io/v1/customresourcedefinitions/nodenetworkconfigs.acn.azure.com");
        await _cluster.Server.Faults.DropWatchesAsync();
        var again = await run.UntilAsync(own => own.Source == "Node");
        Assert.Equal(PodCIDR, Texts(again.Prefixes));
    }

    [Theory]
    [InlineData(PrefixSource.Auto)]
    [InlineData(PrefixSource.NodeNetworkConfig)]
    public async Task Forbidden_FallsThroughOrNamesTheRight(PrefixSource configured)
    {
        await AzureObjects.InstallAsync(_cluster);
        await CreateNodeAsync(PodCIDR);
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Overlay("a"));
        string[] verbs = ["list", "watch"];
        var token = await _cluster.CreateUserAsync(new AccessRule("", "nodes", verbs), new AccessRule("cilium.io", "ciliumnodes", verbs));
        await using var run = await StartAsync(options => options.Prefixes = configured, _cluster.WriteToken(token));
        const string Missing = "RBAC does not allow the verb \"list\" on resource \"nodenetworkconfigs\" of API group \"acn.azure.com\": add it to a Role in namespace \"kube-system\"";
        if (configured == PrefixSource.Auto)
        {
            var own = await run.UntilAsync(own => own.Source == "Node");
            Assert.Contains(Missing, own.Because, StringComparison.Ordinal);
            Assert.Empty(run.Source.Problems);
        }
        else
        {
            var own = await run.UntilAsync(own => own.Because.Length > 0);
            Assert.Empty(own.Prefixes);
            Assert.Equal(NodeProblemCode.NoPrefixes, Assert.Single(run.Source.Problems).Code);
            Assert.Contains(Missing, run.Source.Problems.ToText(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Outage_KeepsWhatIsKnownAndSaysSo()
    {
        await AzureObjects.InstallAsync(_cluster);
        await CreateNodeAsync(PodCIDR);
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Overlay("a"));
        await using var run = await StartAsync();
        await run.UntilAsync(own => own.Source == "NodeNetworkConfig");
        await _cluster.Server.StopListeningAsync();
        await run.UntilAsync(_ => run.Source.Problems.Count > 0);
        Assert.Equal("192.168.1.0/24", Texts(run.Source.Current!.Prefixes));
        Assert.Contains("may be outdated (NodeNetworkConfig)", run.Source.Problems.ToText(), StringComparison.Ordinal);
        await _cluster.Server.ListenAsync(Token);
        await AzureObjects.WriteAsync(_cluster, AzureObjects.Overlay("a", "192.168.2.0/24"));
        await run.UntilAsync(own => Texts(own.Prefixes) == "192.168.2.0/24" && run.Source.Problems.Count == 0);
    }

    [Fact]
    public async Task AwayThroughout_NothingIsKnownAndNothingFails()
    {
        await _cluster.Server.StopListeningAsync();
        await using var run = await StartAsync();
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Token);
        Assert.Null(run.Source.Current);
        Assert.Empty(run.Source.Problems);
        Assert.False(run.Host.ApplicationStopping.IsCancellationRequested);
        await _cluster.Server.ListenAsync(Token);
        await CreateNodeAsync(PodCIDR);
        await run.UntilAsync(own => Texts(own.Prefixes) == PodCIDR);
    }

    [Fact]
    public async Task NoSourceTells_IsAProblemThatNamesEveryOne()
    {
        await CreateNodeAsync(null);
        await using var run = await StartAsync();
        var own = await run.UntilAsync(own => own.Because.Length > 0);
        Assert.Empty(own.Prefixes);
        Assert.True(own.IsRosterBelieved);
        var text = run.Source.Problems.ToText();
        Assert.Contains("its Node object has no pod CIDR", text, StringComparison.Ordinal);
        Assert.Contains("does not serve nodenetworkconfigs", text, StringComparison.Ordinal);
        Assert.Contains("Nodes:PodRanges", text, StringComparison.Ordinal);
    }

    // kubeadm with Calico: the pod CIDR of the node is about nothing.
    [Fact]
    public async Task PodsOutsideOfThePodCIDR_KernelTellsAndTheListIsNotBelieved()
    {
        await CreateNodeAsync(PodCIDR);
        await using var run = await StartAsync(options => options.PodRanges.Add("10.250.0.0/16"));
        var own = await run.UntilAsync(own => own.Source == "Node");
        Assert.Equal("10.250.0.0/16", Texts(own.PodRanges));
        _kernel.With("10.250.0.7").With("10.99.0.7");
        run.Source.Kernel!.Hear(PodNews.RouteCame);
        own = await run.UntilAsync(own => own.Source == "Kernel");
        Assert.Equal(("10.250.0.7/32", false), (Texts(own.Prefixes), own.IsRosterBelieved));
        Assert.Contains("Node has 10.2.0.0/24, but the kernel shows pods elsewhere", own.Because, StringComparison.Ordinal);

        // From here on each one at once.
        _kernel.With("10.250.0.8");
        run.Source.Kernel!.Hear(PodNews.RouteCame);
        await run.UntilAsync(own => Texts(own.Prefixes) == "10.250.0.7/32 10.250.0.8/32");

        // The kernel cannot be read for a while.
        _kernel.Refuses = true;
        run.Source.Kernel!.Hear(PodNews.RouteCame);
        await run.UntilAsync(_ => run.Source.Problems.Count > 0);
        Assert.Equal("10.250.0.7/32 10.250.0.8/32", Texts(run.Source.Current!.Prefixes));
    }

    [Fact]
    public async Task CiliumNodeThatIsMadeUp_GivesWayAndIsTakenWithAPodInside()
    {
        await _cluster.PostAsync(
            "apis/apiextensions.k8s.io/v1/customresourcedefinitions", JsonNode.Parse(NodeWatcherTests.CiliumNodeDefinition)!.AsObject());
        await _cluster.PostAsync("apis/cilium.io/v2/ciliumnodes", JsonNode.Parse("""
            {"metadata":{"name":"a"},"spec":{"addresses":[{"type":"InternalIP","ip":"10.240.0.4"}],"ipam":{"podCIDRs":["10.4.0.0/16"]}}}
            """)!.AsObject());
        await CreateNodeAsync(PodCIDR);
        await using var run = await StartAsync();
        var own = await run.UntilAsync(own => own.Source == "Node");
        Assert.Equal((PodCIDR, false), (Texts(own.Prefixes), own.IsRosterBelieved));
        Assert.Contains("10.4.0.0/16, which old agents of Cilium make up", own.Because, StringComparison.Ordinal);
        _kernel.With("10.4.1.7");
        run.Source.Kernel!.Hear(PodNews.RouteCame);
        own = await run.UntilAsync(own => own.Source == "CiliumNode");
        Assert.Equal(("10.4.0.0/16", true), (Texts(own.Prefixes), own.IsRosterBelieved));
    }

    [Fact]
    public async Task CiliumNodeWithPools_IsThePools()
    {
        await _cluster.PostAsync(
            "apis/apiextensions.k8s.io/v1/customresourcedefinitions", JsonNode.Parse(NodeWatcherTests.CiliumNodeDefinition)!.AsObject());
        await _cluster.PostAsync("apis/cilium.io/v2/ciliumnodes", JsonNode.Parse("""
            {"metadata":{"name":"a","labels":{"kubernetes.io/os":"windows"}},"spec":{"addresses":[{"type":"InternalIP","ip":"10.240.0.4"}],
             "ipam":{"pools":{"allocated":[{"pool":"default","cidrs":["10.10.0.0/27"]}]},"pool":{"10.100.0.9":{}}}}}
            """)!.AsObject());
        await using var run = await StartAsync();
        var own = await run.UntilAsync(own => own.Prefixes.Count > 0);
        Assert.Equal("10.10.0.0/27 10.100.0.9/32", Texts(own.Prefixes));
        Assert.True(run.Roster.Current!.Nodes["a"].IsExempt);
    }

    private async Task CreateNodeAsync(string? prefix) => await _cluster.PostAsync("api/v1/nodes", new JsonObject
    {
        ["metadata"] = new JsonObject { ["name"] = "a" },
        ["spec"] = prefix is null ? [] : new JsonObject { ["podCIDR"] = prefix, ["podCIDRs"] = new JsonArray(prefix) },
        ["status"] = new JsonObject
        {
            ["addresses"] = new JsonArray(new JsonObject { ["type"] = "InternalIP", ["address"] = "10.240.0.4" }),
        },
    });

    private static string Texts(IEnumerable<IPPrefix> prefixes) => string.Join(' ', prefixes);

    private Task<Run> StartAsync(Action<NodesOptions>? change = null, string? tokenFile = null) =>
        Run.StartAsync(_cluster, _kernel, change, tokenFile);

    private sealed class Run : IAsyncDisposable
    {
        private readonly long _startedAt = TimeProvider.System.GetTimestamp();

        public required OwnPrefixSource Source { get; init; }

        public required KubernetesRosterSource Roster { get; init; }

        public required ApplicationLifetime Host { get; init; }

        public TimeSpan Elapsed => TimeProvider.System.GetElapsedTime(_startedAt);

        public static async Task<Run> StartAsync(
            ApiCluster cluster, FakePodDump kernel, Action<NodesOptions>? change, string? tokenFile)
        {
            var options = new NodesOptions();
            change?.Invoke(options);
            var (nodes, node) = (Options.Create(options), Options.Create(new NodeOptions { Name = "a", Address = "10.240.0.4" }));
            var api = cluster.CreateApi(api => api.MaxRetries = 1, tokenFile);
            var watcher = new NodeWatcher(api, nodes, node, TimeProvider.System, ApiCluster.Logger<NodeWatcher>());
            var loops = ApiCluster.Loops(out var host);
            var roster = new KubernetesRosterSource(watcher, node, new AnnotationDifferences(TimeProvider.System), loops);
            var run = new Run
            {
                Source = new OwnPrefixSource(
                    roster, nodes, node, kernel, loops, TimeProvider.System, NullLoggerFactory.Instance, api, watcher),
                Roster = roster,
                Host = host,
            };
            await roster.StartAsync(Token);
            await run.Source.StartAsync(Token);
            return run;
        }

        public async Task<OwnPrefixes> UntilAsync(Func<OwnPrefixes, bool> condition)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
            patience.CancelAfter(TimeSpan.FromSeconds(40));
            while (Source.Current is not { } current || !condition(current))
            {
                try
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, patience.Token);
                }
                catch (OperationCanceledException)
                {
                    Assert.Fail($"It stays {Source.Current} ({Source.Problems.ToText()})");
                }
            }

            return Source.Current;
        }

        public async ValueTask DisposeAsync()
        {
            await Source.StopAsync(CancellationToken.None);
            await Roster.StopAsync(CancellationToken.None);
            Source.Dispose();
            Roster.Dispose();
        }
    }
}
