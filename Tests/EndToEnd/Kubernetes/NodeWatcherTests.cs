using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The roster follows Node and CiliumNode objects, and our own annotation is kept right.</summary>
[Trait("Kind", "Sockets")]
public sealed class NodeWatcherTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    private static readonly PublicKey Key = PublicKey.Parse("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=");

    // Longer than the longest pause between two attempts, 20 s.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _prefix = $"owg-{Guid.NewGuid():N}"[..12];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_NodesComeChangeAndGo_RosterFollows()
    {
        await CreateAsync("a", "10.1.0.0/24");
        await using var run = Start(NodeSource.Node);
        await run.UntilAsync(roster => roster.IsSynced && Has(roster, "a"));

        await CreateAsync("b", "10.1.1.0/24");
        await run.UntilAsync(roster => Has(roster, "b"));
        await PatchAsync("b", """{"metadata":{"annotations":{"network.cilium.io/wg-pub-key":"k"}}}""");
        await run.UntilAsync(roster => Find(roster, "b")?.AnnotatedKey == "k");
        await DeleteAsync("a");
        await run.UntilAsync(roster => !Has(roster, "a"));
        await CreateAsync("a", "10.1.2.0/24");
        await run.UntilAsync(roster => Find(roster, "a")?.PodCIDRs.Contains(IPPrefix.Parse("10.1.2.0/24")) == true);
        await CleanAsync("a", "b");
    }

    [Fact]
    public async Task Run_WatchDroppedWhileANodeGoes_RosterCatchesUp()
    {
        await CreateAsync("a", "10.1.0.0/24");
        await using var run = Start(NodeSource.Node);
        await run.UntilAsync(roster => Has(roster, "a"));

        using (cluster.Server.Faults.Add(new ApiFault { When = request => request.IsWatch, Error = ApiException.Internal("fault") }))
        {
            await cluster.Server.Faults.DropWatchesAsync();
            await DeleteAsync("a");
            await run.UntilItFailsAsync();
            Assert.True(Has(run.Watcher.Current, "a"));
        }

        await run.UntilAsync(roster => !Has(roster, "a"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_ResourceVersionGone_ListsAnew(bool asStatus)
    {
        Assert.SkipWhen(cluster.IsReal, "a real server compacts when it likes");
        await CreateAsync("a", "10.1.0.0/24");
        await CreateAsync("b", "10.1.1.0/24");
        await using var run = Start(NodeSource.Node);
        await run.UntilAsync(roster => Has(roster, "b"));
        cluster.Server.Watches.GoneAsStatus = asStatus;
        using (cluster.Server.Faults.Add(new ApiFault { When = request => request.IsWatch, Error = ApiException.Internal("fault") }))
        {
            await cluster.Server.Faults.DropWatchesAsync();
            await DeleteAsync("b");
            cluster.Server.Registry.Store.Compact();
        }

        await run.UntilAsync(roster => !Has(roster, "b") && Has(roster, "a"));
        cluster.Server.Watches.GoneAsStatus = false;
        await CleanAsync("a");
    }

    [Fact]
    public async Task Run_Outage_KeepsTheRosterAndComesBack()
    {
        await CreateAsync("a", "10.1.0.0/24");
        await using var run = Start(NodeSource.Node);
        await run.UntilAsync(roster => Has(roster, "a"));

        await cluster.Server.StopListeningAsync();
        await run.UntilItFailsAsync();
        Assert.True(Has(run.Watcher.Current, "a"));
        await cluster.Server.ListenAsync(Token);
        await CreateAsync("b", "10.1.1.0/24");
        await run.UntilAsync(roster => Has(roster, "b"));
        await CleanAsync("a", "b");
    }

    [Fact]
    public async Task Run_Auto_TakesCiliumNodesWhereOneIsThisNodeAndDecidesAgain()
    {
        Assert.SkipWhen(cluster.IsReal, "would install Cilium's definition into a shared cluster");
        await using var plain = Start(NodeSource.Auto);
        await plain.UntilAsync(roster => roster.IsSynced);
        Assert.Equal("nodes", plain.Watcher.Resource!.Plural);

        await using var other = new ApiCluster();
        await other.InitializeAsync();
        await other.PostAsync("apis/apiextensions.k8s.io/v1/customresourcedefinitions", JsonNode.Parse(CiliumNodeDefinition)!.AsObject());
        foreach (var name in (string[])["a", "b"])
        {
            await other.PostAsync("api/v1/nodes", JsonNode.Parse("""
                {"metadata":{"name":"NAME"},"spec":{"podCIDR":"10.2.0.0/24"},"status":{"addresses":[{"type":"InternalIP","address":"10.240.0.4"}]}}
                """.Replace("NAME", name, StringComparison.Ordinal))!.AsObject());
        }

        // Served, and no object of ours: what an uninstall leaves, and what there is before Cilium has begun.
        await using var run = Start(NodeSource.Auto, other);
        await run.UntilAsync(roster => roster.Kind == "Node" && roster.Nodes.Count == 2);

        await other.PostAsync("apis/cilium.io/v2/ciliumnodes", JsonNode.Parse("""
            {"metadata":{"name":"a"},"spec":{"addresses":[{"type":"InternalIP","ip":"10.240.0.4"}],"ipam":{"podCIDRs":["10.1.0.0/24"]}}}
            """)!.AsObject());
        await run.UntilAsync(roster => roster.Kind == "CiliumNode");

        // The other one has none yet, and stays meanwhile.
        Assert.Equal(["CiliumNode", "Node"], run.Watcher.Current.Nodes.Values.Select(node => node.Kind));
        Assert.Equal([IPPrefix.Parse("10.1.0.0/24")], run.Watcher.Current.Nodes["a"].PodCIDRs);
        await other.SendAsync(HttpMethod.Delete, "apis/cilium.io/v2/ciliumnodes/a");
        await run.UntilAsync(roster => roster.Kind == "Node" && roster.Nodes.Count == 2);
        Assert.Equal("nodes", run.Watcher.Resource!.Plural);
    }

    // A write that is not needed would be made before the last key's. The pause after each is longer than the watch takes to tell of it, or
    // the publisher would write again what it does not know to be there.
    [Fact]
    public async Task Publish_SameKeyAndOtherChangesOfTheNode_WriteNothing()
    {
        await CreateAsync("a", "10.1.0.0/24");
        await using var run = Start(NodeSource.Node);
        var publisher = new AnnotationPublisher(
            cluster.CreateApi(), run.Watcher, Options.Create(new NodesOptions { AnnotationInterval = TimeSpan.FromSeconds(3) }),
            TimeProvider.System, ApiCluster.Logger<AnnotationPublisher>());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var running = publisher.RunAsync($"{_prefix}-a", stop.Token);
        publisher.Publish(Key);
        await run.UntilAsync(roster => Find(roster, "a")?.AnnotatedKey == Key.ToString());
        cluster.Server.Requests.Clear();

        publisher.Publish(Key);
        await PatchAsync("a", """{"metadata":{"labels":{"other":"change"}}}""");
        await PatchAsync("a", """{"metadata":{"annotations":{"other":"change"}}}""");
        publisher.Publish(TestMesh.Key(2));
        await run.UntilAsync(roster => Find(roster, "a")?.AnnotatedKey == TestMesh.Key(2).ToString());

        Assert.Equal(3, cluster.Server.Requests.Count("PATCH", _prefix));
        await stop.CancelAsync();
        await running;
        await CleanAsync("a");
    }

    [Fact]
    public async Task Publish_ForgedAndDeletedAnnotation_IsPutRightWithinFiveSeconds()
    {
        await CreateAsync("a", "10.1.0.0/24");
        await using var run = Start(NodeSource.Node);
        var publisher = new AnnotationPublisher(
            cluster.CreateApi(), run.Watcher, Options.Create(new NodesOptions()),
            TimeProvider.System, ApiCluster.Logger<AnnotationPublisher>());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var running = publisher.RunAsync($"{_prefix}-a", stop.Token);
        publisher.Publish(Key);
        await run.UntilAsync(roster => Find(roster, "a")?.AnnotatedKey == Key.ToString());

        foreach (var forged in (string[])["\"forged\"", "null"])
        {
            var clock = Stopwatch.GetTimestamp();
            await PatchAsync("a", """{"metadata":{"annotations":{"network.cilium.io/wg-pub-key":VALUE}}}""".Replace(
                "VALUE", forged, StringComparison.Ordinal));
            await run.UntilAsync(roster => Find(roster, "a")?.AnnotatedKey != Key.ToString());
            await run.UntilAsync(roster => Find(roster, "a")?.AnnotatedKey == Key.ToString());
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{forged}: right again after {Stopwatch.GetElapsedTime(clock).TotalMilliseconds:F0} ms");
            Assert.InRange(Stopwatch.GetElapsedTime(clock), TimeSpan.Zero, TimeSpan.FromSeconds(20));
        }

        await stop.CancelAsync();
        await running;
        await CleanAsync("a");
    }

    [Theory]
    [InlineData(NodeSource.Node)]
    [InlineData(NodeSource.Auto)]
    public async Task Cleanup_AnnotatedNode_LosesTheAnnotationAndNothingElse(NodeSource source)
    {
        await CreateAsync("a", "10.1.0.0/24");
        await PatchAsync("a", """{"metadata":{"annotations":{"network.cilium.io/wg-pub-key":"k","other":"x"}}}""");
        var name = $"{_prefix}-a";
        List<string> removed = [];

        Assert.Null(await AnnotationCleanup.RunAsync(cluster.CreateApi(), source, name, removed, Token));
        Assert.Equal([$"nodes/{name}"], removed);
        var (_, text) = await cluster.SendAsync(HttpMethod.Get, $"api/v1/nodes/{name}");
        var annotations = JsonNode.Parse(text)!["metadata"]!["annotations"]!.AsObject();
        Assert.False(annotations.ContainsKey("network.cilium.io/wg-pub-key"));
        Assert.Equal("x", (string?)annotations["other"]);

        // Again, and of a node that is none: nothing to do, no write.
        cluster.Server.Requests.Clear();
        Assert.Null(await AnnotationCleanup.RunAsync(cluster.CreateApi(), source, name, removed, Token));
        Assert.Null(await AnnotationCleanup.RunAsync(cluster.CreateApi(), source, $"{_prefix}-never-existed", removed, Token));
        Assert.Single(removed);
        Assert.Equal(0, cluster.Server.Requests.Count("PATCH", _prefix));

        await cluster.Server.StopListeningAsync();
        var problem = await AnnotationCleanup.RunAsync(cluster.CreateApi(options => options.MaxRetries = 0), source, name, removed, Token);
        await cluster.Server.ListenAsync(Token);
        Assert.Contains("did not answer list", problem, StringComparison.Ordinal);
        await CleanAsync("a");
    }

    [Theory]
    [InlineData("list")]
    [InlineData("watch")]
    public async Task Run_RbacVerbMissing_NamesItAndKeepsTheRoster(string verb)
    {
        await CreateAsync("a", "10.1.0.0/24");
        string[] verbs = ["list", "watch", "patch"];
        var token = await cluster.CreateUserAsync(new AccessRule(string.Empty, "nodes", [.. verbs.Where(each => each != verb)]));
        await using var run = Start(NodeSource.Node, tokenFile: cluster.WriteToken(token));

        while (run.Watcher.Problem is null)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
        }

        Assert.Contains($"RBAC does not allow the verb \"{verb}\" on resource \"nodes\"", run.Watcher.Problem, StringComparison.Ordinal);
        Assert.Contains("a ClusterRole", run.Watcher.Problem, StringComparison.Ordinal);
        Assert.Equal(verb == "watch", Has(run.Watcher.Current, "a"));
        await CleanAsync("a");
    }

    [Fact]
    public async Task Run_DualStackNode_HasBothFamilies()
    {
        var created = await cluster.PostAsync("api/v1/nodes", JsonNode.Parse("""
            {"metadata":{"name":"NAME"},"spec":{"podCIDR":"10.1.0.0/24","podCIDRs":["10.1.0.0/24","fd00:1::/64"]},
             "status":{"addresses":[{"type":"Hostname","address":"h"},{"type":"ExternalIP","address":"192.0.2.1"},
                                    {"type":"InternalIP","address":"10.240.0.4"},{"type":"InternalIP","address":"fd00:240::4"}]}}
            """.Replace("NAME", $"{_prefix}-a", StringComparison.Ordinal))!.AsObject());
        await using var run = Start(NodeSource.Node);
        await run.UntilAsync(roster => Has(roster, "a"));
        var node = Find(run.Watcher.Current, "a")!;
        await CleanAsync("a");
        Assert.SkipWhen(created["spec"]!["podCIDRs"]!.AsArray().Count == 1, "this server knows one pod CIDR for each node (dual stack is on since 1.21)");

        Assert.Equal(["10.240.0.4", "fd00:240::4", "192.0.2.1"], node.Addresses.Select(address => address.ToString()));
        Assert.Equal(["10.1.0.0/24", "fd00:1::/64"], node.PodCIDRs.Select(prefix => prefix.ToString()));
        Assert.Empty(node.Problems);
    }

    [Fact]
    public async Task Run_PodCIDRsOfACiliumNodeChange_RosterFollows()
    {
        Assert.SkipWhen(cluster.IsReal, "would install Cilium's definition into a shared cluster");
        await using var other = new ApiCluster();
        await other.InitializeAsync();
        await other.PostAsync("apis/apiextensions.k8s.io/v1/customresourcedefinitions", JsonNode.Parse(CiliumNodeDefinition)!.AsObject());
        await other.PostAsync("apis/cilium.io/v2/ciliumnodes", JsonNode.Parse("""
            {"metadata":{"name":"a"},"spec":{"addresses":[{"type":"InternalIP","ip":"10.240.0.4"}],"ipam":{"podCIDRs":["10.1.0.0/24"]}}}
            """)!.AsObject());
        await using var run = Start(NodeSource.Auto, other);
        await run.UntilAsync(roster => Is(roster, "10.1.0.0/24"));

        await other.SendAsync(
            HttpMethod.Patch, "apis/cilium.io/v2/ciliumnodes/a", JsonNode.Parse(
                """{"spec":{"ipam":{"podCIDRs":["10.1.0.0/24","10.1.9.0/24"]}}}"""), contentType: "application/merge-patch+json");
        await run.UntilAsync(roster => Is(roster, "10.1.0.0/24", "10.1.9.0/24"));

        await other.SendAsync(
            HttpMethod.Patch, "apis/cilium.io/v2/ciliumnodes/a",
            JsonNode.Parse("""{"spec":{"ipam":null}}"""), contentType: "application/merge-patch+json");
        await run.UntilAsync(roster => roster.Nodes["a"].PodCIDRs.Count == 0);

        static bool Is(WatchedNodes roster, params string[] prefixes) =>
            roster.Nodes.TryGetValue("a", out var node) && node.PodCIDRs.Select(prefix => prefix.ToString()).SequenceEqual(prefixes);
    }

    /// <summary>Cilium's definition of CiliumNode, without its schema.</summary>
    internal const string CiliumNodeDefinition = """
        {"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"ciliumnodes.cilium.io"},
         "spec":{"group":"cilium.io","scope":"Cluster","names":{"kind":"CiliumNode","plural":"ciliumnodes","singular":"ciliumnode"},
          "versions":[{"name":"v2","served":true,"storage":true,"subresources":{"status":{}},
           "schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}
        """;

    private bool Has(WatchedNodes roster, string name) => Find(roster, name) is not null;

    private NodeRecord? Find(WatchedNodes roster, string name) => roster.Nodes.GetValueOrDefault($"{_prefix}-{name}");

    private async Task CreateAsync(string name, string prefix) => await cluster.PostAsync("api/v1/nodes", new JsonObject
    {
        ["metadata"] = new JsonObject { ["name"] = $"{_prefix}-{name}" },
        ["spec"] = new JsonObject { ["podCIDR"] = prefix, ["podCIDRs"] = new JsonArray(prefix) },
        ["status"] = new JsonObject
        {
            ["addresses"] = new JsonArray(
            new JsonObject { ["type"] = "InternalIP", ["address"] = "10.240.0.4" })
        },
    });

    private async Task PatchAsync(string name, string patch)
    {
        var (code, text) = await cluster.SendAsync(
            HttpMethod.Patch, $"api/v1/nodes/{_prefix}-{name}", JsonNode.Parse(patch), contentType: "application/merge-patch+json");
        Assert.True(code == HttpStatusCode.OK, text);
    }

    private async Task DeleteAsync(string name) => await cluster.SendAsync(HttpMethod.Delete, $"api/v1/nodes/{_prefix}-{name}");

    private async Task CleanAsync(params string[] names)
    {
        foreach (var name in names)
        {
            await DeleteAsync(name);
        }
    }

    private Run Start(NodeSource source, ApiCluster? on = null, string? tokenFile = null)
    {
        var options = Options.Create(new NodesOptions { Source = source });
        return new(new NodeWatcher(
            (on ?? cluster).CreateApi(tokenFile: tokenFile), options,
            Options.Create(new NodeOptions { Name = "a" }), TimeProvider.System, ApiCluster.Logger<NodeWatcher>()));
    }

    private sealed class Run : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        private readonly Task _running;

        public Run(NodeWatcher watcher)
        {
            Watcher = watcher;
            _running = watcher.RunAsync(_stop.Token);
        }

        public NodeWatcher Watcher { get; }

        public async Task UntilAsync(Func<WatchedNodes, bool> condition)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
            patience.CancelAfter(Patience);
            await foreach (var roster in Watcher.ChangesAsync(patience.Token))
            {
                if (condition(roster))
                {
                    return;
                }
            }
        }

        public async Task UntilItFailsAsync()
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
            patience.CancelAfter(Patience);
            while (Watcher.Problem is null)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, patience.Token);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running;
            _stop.Dispose();
        }
    }
}
