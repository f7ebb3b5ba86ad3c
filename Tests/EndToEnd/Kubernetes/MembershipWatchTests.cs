using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The watch tells Orleans each new version at once, and survives everything a watch can meet.</summary>
[Trait("Kind", "Sockets")]
public sealed class MembershipWatchTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    // Longer than the longest pause between two attempts, 20 s.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _clusterId = TableEntries.ClusterId();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Watch_RowInserted_RefreshesAtOnce()
    {
        await using var run = await StartAsync();
        var clock = Stopwatch.GetTimestamp();

        await InsertAsync();

        Assert.Equal(1, await run.NextAsync());
        TestContext.Current.TestOutputHelper!.WriteLine($"write and refresh: {Stopwatch.GetElapsedTime(clock).TotalMilliseconds:F1} ms");
        Assert.InRange(Stopwatch.GetElapsedTime(clock), TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Watch_Dropped_ResumesWhereItWas()
    {
        await using var run = await StartAsync();
        await InsertAsync();
        Assert.Equal(1, await run.NextAsync());
        cluster.Server.Requests.Clear();

        await cluster.Server.Faults.DropWatchesAsync();
        await InsertAsync();

        Assert.Equal(2, await run.NextAsync());
    }

    [Fact]
    public async Task Watch_Outage_ComesBackWithTheNewestVersion()
    {
        await using var run = await StartAsync();
        await InsertAsync();
        Assert.Equal(1, await run.NextAsync());

        await cluster.Server.StopListeningAsync();
        await run.UntilItFailsAsync();
        await cluster.Server.ListenAsync(Token);
        await InsertAsync();

        Assert.Equal(2, await run.NextAsync());
    }

    /// <summary>A server that was restarted remembers nothing from before, and the table may not have changed since.</summary>
    [Fact]
    public async Task Watch_ServerRestartedWhileTheTableIsQuiet_IsWatchedAgainByAHandfulOfRequests()
    {
        Assert.SkipWhen(cluster.IsReal, "a real server cannot be restarted from here");
        await using var run = await StartAsync();
        await InsertAsync();
        Assert.Equal(1, await run.NextAsync());

        // Others go on: the table is older than what the server remembers.
        await cluster.PostAsync(cluster.LeasePath(), new() { ["metadata"] = new System.Text.Json.Nodes.JsonObject { ["name"] = "other" } });
        await cluster.Server.StopListeningAsync();
        cluster.Server.Requests.Clear();
        await cluster.Server.ListenAsync(Token);
        await Task.Delay(TimeSpan.FromSeconds(10), TimeProvider.System, Token);

        var requests = cluster.Server.Requests.Snapshot().Select(item => item.Request)
            .Where(request => request.Path.Contains("orleansclusters", StringComparison.Ordinal)).ToList();
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"requests in 10 s: {string.Join(", ", requests.Select(request => request.IsWatch ? "watch" : "get"))}");
        Assert.InRange(requests.Count, 1, 2);
        await InsertAsync();
        Assert.Equal(2, await run.NextAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Watch_ResourceVersionGone_ReadsAnew(bool asStatus)
    {
        Assert.SkipWhen(cluster.IsReal, "a real server compacts when it likes");
        await using var run = await StartAsync();
        await InsertAsync();
        Assert.Equal(1, await run.NextAsync());
        cluster.Server.Watches.GoneAsStatus = asStatus;
        using (cluster.Server.Faults.Add(new ApiFault { When = request => request.IsWatch, Error = ApiException.Internal("fault") }))
        {
            await cluster.Server.Faults.DropWatchesAsync();
            await InsertAsync();
            cluster.Server.Registry.Store.Compact();
            await run.UntilItFailsAsync();
        }

        Assert.Equal(2, await run.NextAsync());
        cluster.Server.Watches.GoneAsStatus = false;
    }

    [Fact]
    public async Task Watch_ManyChangesDuringARefresh_AreOneRefresh()
    {
        await using var run = await StartAsync();
        run.Membership.Pause();
        for (var count = 0; count < 10; count++)
        {
            await InsertAsync();
        }

        // Until the watch has told of all of them, also on a busy machine.
        await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Token);
        run.Membership.Resume();
        var versions = new List<long> { await run.NextAsync() };
        while (versions[^1] != 10)
        {
            versions.Add(await run.NextAsync());
        }

        Assert.InRange(versions.Count, 1, 3);
    }

    [Fact]
    public async Task Watch_RefreshFails_IsTriedAgain()
    {
        await using var run = await StartAsync();
        run.Membership.FailNext = 2;
        await InsertAsync();
        Assert.Equal(1, await run.NextAsync());
    }

    [Fact]
    public async Task Watch_Heartbeats_CauseNothing()
    {
        await using var run = await StartAsync();
        var table = await InsertAsync();
        Assert.Equal(1, await run.NextAsync());

        await table.UpdateIAmAliveAsync(TableEntries.Entry(), Token);
        await InsertAsync();

        // The row came after the heartbeat, and is the next that Orleans was told.
        Assert.Equal(2, await run.NextAsync());
    }

    // Who judges what Orleans reads of the table must not have to wait for Orleans to read it.
    [Fact]
    public async Task Watch_ObjectDeleted_WhoStandsBeforeTheTableReadsTheOwnRow()
    {
        var silo = TableEntries.Entry().SiloAddress;
        var asked = Channel.CreateUnbounded<SiloAddress>();
        var before = Stub.Of<IMembershipTable>((method, arguments) =>
        {
            Assert.Equal(nameof(IMembershipTable.ReadRowAsync), method.Name);
            Assert.True(asked.Writer.TryWrite((SiloAddress)arguments[0]!));
            return Task.FromException<MembershipTableData>(new InvalidOperationException("The table is gone."));
        });
        await using var run = await StartAsync(before, Stub.Of<ILocalSiloDetails>((_, _) => silo));
        await InsertAsync();
        Assert.Equal(1, await run.NextAsync());
        Assert.False(asked.Reader.TryRead(out _));

        await cluster.CreateTable(_clusterId).DeleteMembershipTableEntriesAsync(_clusterId, Token);
        Assert.Equal(silo, await asked.Reader.ReadAsync(Token).AsTask().WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, Token));
    }

    private async Task<KubernetesMembershipTable> InsertAsync()
    {
        var table = cluster.CreateTable(_clusterId);
        Assert.True(await table.InsertRowAsync(TableEntries.Entry(), (await table.ReadAllAsync(Token)).Version.Next(), Token));
        return table;
    }

    private async Task<Run> StartAsync(IMembershipTable? table = null, ILocalSiloDetails? silo = null)
    {
        await cluster.CreateInitializedTableAsync(_clusterId);
        var (membership, health) = (new RecordingMembership(), new ClusteringHealth(TimeProvider.System));
        var watch = new MembershipWatch(
            cluster.CreateApi(),
            membership,
            Options.Create(new ClusterOptions { ClusterId = _clusterId }),
            Options.Create(new KubernetesClusteringOptions()),
            health,
            ApiCluster.Loops(out _),
            TimeProvider.System,
            table ?? cluster.CreateTable(_clusterId),
            silo ?? ApiCluster.NoSilo,
            ApiCluster.Logger<MembershipWatch>());
        var lifecycle = new SiloLifecycleSubject(ApiCluster.Logger<SiloLifecycleSubject>());
        watch.Participate(lifecycle);
        cluster.Server.Requests.Clear();
        await lifecycle.OnStart(Token);
        while (!cluster.Server.Requests.Snapshot().Any(item => item.Request.IsWatch))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Token);
        }

        return new(lifecycle, watch, membership, health);
    }

    private sealed class Run(
        SiloLifecycleSubject lifecycle, MembershipWatch watch, RecordingMembership membership, ClusteringHealth health) : IAsyncDisposable
    {
        public RecordingMembership Membership { get; } = membership;

        public async Task<long> NextAsync()
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
            patience.CancelAfter(Patience);
            return await Membership.Refreshed.Reader.ReadAsync(patience.Token);
        }

        public async Task UntilItFailsAsync()
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
            patience.CancelAfter(Patience);
            while (health.Problem is null)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, patience.Token);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await lifecycle.OnStop(CancellationToken.None);
            await watch.DisposeAsync();
        }
    }

    /// <summary>Orleans' side: it only notes which versions it was told.</summary>
    private sealed class RecordingMembership : IClusterMembershipService
    {
        private TaskCompletionSource _open = Opened();

        public Channel<long> Refreshed { get; } = Channel.CreateUnbounded<long>();

        public int FailNext { get; set; }

        public ClusterMembershipSnapshot CurrentSnapshot => throw new NotSupportedException();

        public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => throw new NotSupportedException();

        public void Pause() => _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Resume() => _open.SetResult();

        public async ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default)
        {
            await _open.Task.WaitAsync(cancellationToken);
            if (FailNext-- > 0)
            {
                throw new InvalidOperationException("fault");
            }

            Refreshed.Writer.TryWrite(minimumVersion.Value);
        }

        public Task<bool> TryKill(SiloAddress siloAddress) => throw new NotSupportedException();

        private static TaskCompletionSource Opened()
        {
            var open = new TaskCompletionSource();
            open.SetResult();
            return open;
        }
    }
}
