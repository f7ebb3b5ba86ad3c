using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// Whatever a server does to a list or a watch is told, shown and tried again, and both watches know the newest when it is over.
/// </summary>
/// <remarks>Pauses are nothing here (a random number that is always 0), so that a kind of failure costs as long as its time-out.</remarks>
[Trait("Kind", "Sockets")]
public sealed class WatchFaultTests : IClassFixture<ApiCluster>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // What a server, or what is between it and us, may answer in place of a list or of an event.
    private static readonly Dictionary<string, string> Nonsense = new()
    {
        ["null"] = "null\n",
        ["a number"] = "42\n",
        ["an array"] = "[]\n",
        ["a text"] = "\"x\"\n",
        ["half an object"] = "{\"metadata\":{\n",
        ["no JSON"] = "<html>Bad gateway</html>\n",
        ["no UTF-8"] = "\u00ff\u00fe\u0000\u0001\n",
        ["an empty object"] = "{}\n",
        ["types that are wrong"] = """{"type":5,"metadata":[],"items":7}""" + "\n",
        ["no object"] = """{"type":"ADDED"}""" + "\n",
        ["an object that is null"] = """{"type":"ADDED","object":null,"metadata":null,"items":null}""" + "\n",
        ["metadata that is null"] = """{"type":"MODIFIED","object":{"metadata":null},"metadata":{"resourceVersion":"1"},"items":[{"metadata":null}]}""" + "\n",
        ["an item that is null"] = """{"type":"DELETED","object":{"metadata":{"resourceVersion":"1"}},"metadata":{"resourceVersion":"1"},"items":[null]}""" + "\n",
        ["a name that is a number"] = """{"type":"ADDED","object":{"metadata":{"name":7}},"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":7}}]}""" + "\n",
        ["a kind of event that there is not"] = """{"type":"RENAMED","object":{"metadata":{"name":"x","resourceVersion":"1"}}}""" + "\n",
        ["an error without a status"] = """{"type":"ERROR"}""" + "\n",
        ["an error whose status is wrong"] = """{"type":"ERROR","object":{"kind":"Status","code":"x","details":[],"message":{}}}""" + "\n",
    };

    private readonly ApiCluster _cluster;
    private readonly string _prefix = $"owg-{Guid.NewGuid():N}"[..12];
    private readonly string _clusterId = TableEntries.ClusterId();

    /// <summary>Made by the runner.</summary>
    public WatchFaultTests(ApiCluster cluster)
    {
        Assert.SkipWhen(cluster.IsReal, "a real server sends its bookmarks once a minute, and forgets when it likes");
        _cluster = cluster;
        cluster.Server.Watches.BookmarkPeriod = TimeSpan.FromMilliseconds(200);
    }

    /// <summary>Everything that a fault can be, for lists and for watches.</summary>
    public static TheoryData<string> Kinds { get; } =
    [
        "hangs before it answers", "hangs in the middle of an event", "hangs in silence",
        "resets the stream", "resets it in the middle of an event", "loses the answer",
        .. new[] { 400, 401, 403, 404, 409, 410, 418, 422, 429, 500, 503 }.Select(code => $"status {code}"),
        .. Nonsense.Keys,
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Nodes_WatchFails_AreFollowedAgain(string kind)
    {
        await using var run = await StartNodesAsync();
        await FailAsync(
            kind, request => request.IsWatch && IsNodes(request), () => run.Watcher.Problem, async () => await CreateAsync("b"));
        await run.UntilAsync($"{_prefix}-b");
        await CleanAsync();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Nodes_ListFails_AreFollowedAgain(string kind)
    {
        await using var run = await StartNodesAsync();
        using (_cluster.Server.Faults.Add(
            new ApiFault { When = request => request.IsWatch && IsNodes(request), Error = new ApiException(410, "Expired", "fault") }))
        {
            await FailAsync(
                kind, request => !request.IsWatch && request.Method == "GET"
                    && IsNodes(request), () => run.Watcher.Problem, async () => await CreateAsync("b"), recovers: false);
        }

        await run.UntilAsync($"{_prefix}-b");
        await CleanAsync();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Membership_WatchFails_IsFollowedAgain(string kind)
    {
        await using var run = await StartMembershipAsync();
        await FailAsync(
            kind, request => request.IsWatch
                && request.Path.Contains("orleansclusters", StringComparison.Ordinal), () => run.Health.Problem, () => InsertAsync(2));
        Assert.Equal(2, await run.NextAsync());
    }

    /// <summary>A process that hangs takes connections, because the system does that for it, and answers no handshake.</summary>
    [Fact]
    public async Task Both_ServerHangs_AreFollowedAgain()
    {
        await using var nodes = await StartNodesAsync();
        await using var membership = await StartMembershipAsync();
        var began = Stopwatch.GetTimestamp();
        await using (await _cluster.Server.HangAsync())
        {
            // Longer than a connection may take to be made, several times.
            await UntilAsync(
                () => nodes.Watcher.Problem?.Contains("did not answer", StringComparison.Ordinal) == true, "the nodes' problem");
            await UntilAsync(
                () => membership.Health.Problem?.Contains("did not answer", StringComparison.Ordinal) == true, "the membership's problem");
            await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Token);
        }

        var back = Stopwatch.GetTimestamp();
        await CreateAsync("b");
        await nodes.UntilAsync($"{_prefix}-b");
        await InsertAsync(2);
        Assert.Equal(2, await membership.NextAsync());
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"hung for {Stopwatch.GetElapsedTime(began, back).TotalSeconds:F1} s, followed again {Stopwatch.GetElapsedTime(back).TotalSeconds:F1} s later");
        Assert.Null(nodes.Watcher.Problem);
        await CleanAsync();
    }

    /// <summary>Who takes an event may fail too; a bug of ours must not end what has to go on.</summary>
    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(NullReferenceException))]
    [InlineData(typeof(TaskCanceledException))]
    [InlineData(typeof(OperationCanceledException))]
    [InlineData(typeof(TimeoutException))]
    [InlineData(typeof(AggregateException))]
    [InlineData(typeof(OutOfMemoryException))]
    public async Task Any_ListOrEventCannotBeTaken_IsReadAnew(Type failure)
    {
        var (lists, applied, failing) = (0, Channel.CreateUnbounded<string>(), 2);
        var api = _cluster.CreateApi(Impatient, random: new NoRandom());
        var watch = new ListWatch<NodeObject>(api, TimeProvider.System, ApiCluster.Logger<WatchFaultTests>(), "test")
        {
            List = async token =>
            {
                if (++lists == 1)
                {
                    throw (Exception)Activator.CreateInstance(failure)!;
                }

                return (await api.ListAsync(
                    ApiResource.Nodes, string.Empty, NodesJson.Default.ResourceListNodeObject, token)).ResourceVersion;
            },
            Watch = query => new("watch", ApiResource.Nodes, null, null) { Query = query },
            Type = NodesJson.Default.WatchEventNodeObject,
            Apply = change =>
            {
                if (change.Object!.Metadata.Name!.StartsWith(_prefix, StringComparison.Ordinal))
                {
                    applied.Writer.TryWrite(change.Type);
                    throw failing-- > 0 ? (Exception)Activator.CreateInstance(failure)! : new InvalidDataException("the last one");
                }
            },
        };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var running = watch.RunAsync(stop.Token);
        await UntilAsync(() => lists >= 2 && watch.Problem is null, "a watch");
        for (var count = 2; count <= 4; count++)
        {
            // There may be more lists than failures of ours: on a busy machine one may not be answered in time.
            var former = lists;
            await CreateAsync($"apply-{count}");
            Assert.Equal("ADDED", await applied.Reader.ReadAsync(Token));
            await UntilAsync(() => lists > former && watch.Problem is null, $"the list after event {count}");
        }

        Assert.False(running.IsCompleted);
        await stop.CancelAsync();
        await running;
        await CleanAsync("apply-2", "apply-3", "apply-4");
    }

    private static bool IsNodes(ApiRequest request) => request.Path == "/api/v1/nodes";

    private static void Impatient(KubernetesApiOptions options)
    {
        options.RequestTimeout = TimeSpan.FromMilliseconds(500);
        options.WatchIdleTimeout = TimeSpan.FromSeconds(1);
        options.MaxRetries = 0;

        // Every attempt shall meet the fault.
        options.BreakDuration = TimeSpan.FromMilliseconds(500);
    }

    private static ApiFault Fault(string kind, Func<ApiRequest, bool> when)
    {
        const string Event = """{"type":"ADDED","object":{"metadata":{"name":"x",""";
        return kind switch
        {
            "hangs before it answers" => new() { When = when, Hangs = true },
            "hangs in the middle of an event" => new() { When = when, Answer = Encoding.UTF8.GetBytes(Event), Hangs = true },
            "hangs in silence" => new() { When = when, Answer = "\n"u8.ToArray(), Hangs = true },
            "resets the stream" => new() { When = when, Resets = true },
            "resets it in the middle of an event" => new() { When = when, Answer = Encoding.UTF8.GetBytes(Event), Resets = true },
            "loses the answer" => new() { When = when, LosesAnswer = true },
            _ when kind.StartsWith("status ", StringComparison.Ordinal) =>
                new()
                {
                    When = when,
                    Error = new ApiException(
                    int.Parse(kind[7..], System.Globalization.CultureInfo.InvariantCulture), "Fault", "fault")
                },
            _ => new() { When = when, Answer = Encoding.Latin1.GetBytes(Nonsense[kind]) },
        };
    }

    // The fault meets at least three attempts, then the server is well again; meanwhile something happened that nobody could see.
    private async Task FailAsync(
        string kind, Func<ApiRequest, bool> when, Func<string?> problem, Func<Task> meanwhile, bool recovers = true)
    {
        var hits = 0;
        using (_cluster.Server.Faults.Add(Fault(kind, request => when(request) && Interlocked.Increment(ref hits) > 0)))
        {
            // Before the watch breaks, or it would be told of it.
            var broken = _cluster.Server.Faults.DropWatchesAsync();
            await meanwhile();
            await broken;
            await UntilAsync(() => Volatile.Read(ref hits) >= 3, "three attempts");

            await UntilAsync(() => problem() is not null, "the problem to be shown");
        }

        await UntilAsync(() => !recovers || problem() is null, "the problem to go away");
    }

    private static async Task UntilAsync(Func<bool> condition, string what)
    {
        var began = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Patience, $"waited in vain for {what}");
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, Token);
        }
    }

    private async Task<NodesRun> StartNodesAsync()
    {
        await CreateAsync("a");
        var api = _cluster.CreateApi(Impatient, random: new NoRandom());
        var run = new NodesRun(new NodeWatcher(api, Options.Create(new NodesOptions { Source = NodeSource.Node }), Options.Create(
            new NodeOptions { Name = $"{_prefix}-a" }), TimeProvider.System, ApiCluster.Logger<NodeWatcher>()));
        await run.UntilAsync($"{_prefix}-a");
        return run;
    }

    private async Task<MembershipRun> StartMembershipAsync()
    {
        await _cluster.CreateInitializedTableAsync(_clusterId);
        var run = new MembershipRun(_cluster, _cluster.CreateApi(Impatient, random: new NoRandom()), _clusterId);
        await run.StartAsync();
        await InsertAsync(1);
        Assert.Equal(1, await run.NextAsync());
        return run;
    }

    private async Task InsertAsync(int version)
    {
        var table = _cluster.CreateTable(_clusterId);
        Assert.True(await table.InsertRowAsync(TableEntries.Entry(), (await table.ReadAllAsync(Token)).Version.Next(), Token),
            $"version {version}");
    }

    private async Task CreateAsync(string name) =>
        await _cluster.PostAsync("api/v1/nodes", new JsonObject { ["metadata"] = new JsonObject { ["name"] = $"{_prefix}-{name}" } });

    private async Task CleanAsync(params string[] names)
    {
        foreach (var name in (string[])["a", "b", .. names])
        {
            await _cluster.SendAsync(HttpMethod.Delete, $"api/v1/nodes/{_prefix}-{name}");
        }
    }

    /// <summary>Pauses of full jitter become none.</summary>
    private sealed class NoRandom : Random
    {
        public override double NextDouble() => 0;
    }

    private sealed class NodesRun : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        private readonly Task _running;

        public NodesRun(NodeWatcher watcher)
        {
            Watcher = watcher;
            _running = watcher.RunAsync(_stop.Token);
        }

        public NodeWatcher Watcher { get; }

        public Task UntilAsync(string name) => WatchFaultTests.UntilAsync(() => Watcher.Current.Nodes.ContainsKey(name), $"node {name}");

        public async ValueTask DisposeAsync()
        {
            Assert.False(_running.IsCompleted, "the watch ended");
            await _stop.CancelAsync();
            await _running;
            _stop.Dispose();
        }
    }

    private sealed class MembershipRun : IAsyncDisposable
    {
        private readonly Channel<long> _refreshed = Channel.CreateUnbounded<long>();
        private readonly MembershipWatch _watch;
        private readonly SiloLifecycleSubject _lifecycle = new(ApiCluster.Logger<SiloLifecycleSubject>());

        public MembershipRun(ApiCluster cluster, KubernetesApi api, string clusterId)
        {
            var membership = Stub.Of<IClusterMembershipService>((_, arguments) =>
            {
                _refreshed.Writer.TryWrite(((MembershipVersion)arguments[0]!).Value);
                return ValueTask.CompletedTask;
            });
            _watch = new MembershipWatch(
                api,
                membership,
                Options.Create(new ClusterOptions { ClusterId = clusterId }),
                Options.Create(new KubernetesClusteringOptions()),
                Health,
                ApiCluster.Loops(out _),
                TimeProvider.System,
                cluster.CreateTable(clusterId),
                ApiCluster.NoSilo,
                ApiCluster.Logger<MembershipWatch>());
            _watch.Participate(_lifecycle);
        }

        public ClusteringHealth Health { get; } = new(TimeProvider.System);

        public Task StartAsync() => _lifecycle.OnStart(Token);

        public async Task<long> NextAsync()
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
            patience.CancelAfter(Patience);
            return await _refreshed.Reader.ReadAsync(patience.Token);
        }

        public async ValueTask DisposeAsync()
        {
            await _lifecycle.OnStop(CancellationToken.None);
            await _watch.DisposeAsync();
        }
    }
}
