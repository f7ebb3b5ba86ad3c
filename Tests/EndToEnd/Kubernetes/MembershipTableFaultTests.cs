using System.Diagnostics;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// What the table does when the API server fails, sheds load, answers late, loses an answer or is away, as every server does for a while.
/// </summary>
/// <remarks>What does not pass by itself is in <see cref="MembershipTableNeedsTests"/>.</remarks>
[Trait("Kind", "Sockets")]
public sealed class MembershipTableFaultTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    private readonly string _clusterId = TableEntries.ClusterId();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(429)]
    public async Task InsertRow_ServerFailsThreeTimes_SucceedsByRetry(int code)
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var version = (await table.ReadAllAsync(Token)).Version;
        using var fault = cluster.Server.Faults.Add(
            new ApiFault { When = Writes, Remaining = 3, Error = new ApiException(code, string.Empty, "fault") });

        Assert.True(await table.InsertRowAsync(TableEntries.Entry(), version.Next(), Token));
    }

    [Fact]
    public async Task ReadAll_RetryAfter_WaitsAsLongAsAsked()
    {
        var time = new WaitableTimeProvider(TestMesh.Start);
        var table = cluster.CreateTable(_clusterId, timeProvider: time);
        await table.InitializeMembershipTableAsync(true, Token);
        using var fault = cluster.Server.Faults.Add(
            new ApiFault { When = Reads, Remaining = 1, Error = ApiException.TooManyRequests(1), RetryAfter = 1 });

        var read = table.ReadAllAsync(Token);

        // The other waits are the limits of the requests.
        TimeSpan pause;
        do
        {
            pause = await time.NextWaitAsync(Token);
        }
        while (pause == new KubernetesApiOptions().RequestTimeout);
        Assert.InRange(pause, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1.1));
        time.Advance(pause);
        await read;
    }

    [Fact]
    public async Task ReadAll_RetryAfterBeyondTheCap_FailsAtOnce()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        using var fault = cluster.Server.Faults.Add(
            new ApiFault { When = Reads, Error = ApiException.TooManyRequests(3600), RetryAfter = 3600 });
        var clock = Stopwatch.GetTimestamp();

        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => table.ReadAllAsync(Token));

        Assert.Equal(ApiFailure.Throttled, error.Failure);
        Assert.Equal(TimeSpan.FromHours(1), error.RetryAfter);
        Assert.InRange(Stopwatch.GetElapsedTime(clock), TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task InsertRow_AnswerLost_KnowsItsOwnWriteAgain()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry();
        var version = (await table.ReadAllAsync(Token)).Version;
        using var fault = cluster.Server.Faults.Add(new ApiFault { When = Writes, Remaining = 1, LosesAnswer = true });

        Assert.True(await table.InsertRowAsync(entry, version.Next(), Token), "the retry conflicts with our own write");

        var data = await table.ReadAllAsync(Token);
        Assert.Equal(1, data.Version.Version);
        Assert.Single(data.Members);
    }

    [Fact]
    public async Task InsertRow_AnswerLostAndAnotherWrote_IsFalse()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var version = (await table.ReadAllAsync(Token)).Version;
        var other = cluster.CreateTable(_clusterId);
        Assert.True(await other.InsertRowAsync(TableEntries.Entry(), (await other.ReadAllAsync(Token)).Version.Next(), Token));
        using var fault = cluster.Server.Faults.Add(new ApiFault { When = Writes, Remaining = 1, LosesAnswer = true });

        Assert.False(await table.InsertRowAsync(TableEntries.Entry(), version.Next(), Token));
    }

    [Fact]
    public async Task UpdateIAmAlive_AnswerOfCreateLost_Succeeds()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active);
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        using var fault = cluster.Server.Faults.Add(
            new ApiFault { When = request => request.Method == "POST", Remaining = 1, LosesAnswer = true });

        await table.UpdateIAmAliveAsync(
            new MembershipEntry { SiloAddress = entry.SiloAddress, IAmAliveTime = TableEntries.Now.AddMinutes(1) }, Token);

        Assert.Equal(
            TableEntries.Now.AddMinutes(1), (await table.ReadAllAsync(Token)).Members[0].Item1.IAmAliveTime, TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task ReadAll_SlowServer_TimesOutAndIsUnavailable()
    {
        var table = cluster.CreateTable(
            _clusterId, options => (options.RequestTimeout, options.MaxRetries) = (TimeSpan.FromMilliseconds(200), 1));
        using var fault = cluster.Server.Faults.Add(new ApiFault { When = Reads, Latency = TimeSpan.FromSeconds(5) });

        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => table.ReadAllAsync(Token));

        Assert.Equal(ApiFailure.Unavailable, error.Failure);
        Assert.Equal(2, error.Attempts);
        Assert.Contains("no answer within 00:00:00.2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadAll_CallerCancels_IsCancelledAtOnce()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        using var fault = cluster.Server.Faults.Add(new ApiFault { When = Reads, Latency = TimeSpan.FromMinutes(1) });
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        var clock = Stopwatch.GetTimestamp();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => table.ReadAllAsync(cancellation.Token));

        Assert.InRange(Stopwatch.GetElapsedTime(clock), TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task ReadAll_ServerFailsForLong_OpensTheCircuitAndRecovers()
    {
        // Longer than all calls take, however busy the machine is.
        var pause = TimeSpan.FromSeconds(5);
        var table = cluster.CreateTable(_clusterId, options => options.BreakDuration = pause);
        await table.InitializeMembershipTableAsync(true, Token);
        using (cluster.Server.Faults.Add(new ApiFault { When = _ => true, Error = ApiException.Internal("fault") }))
        {
            for (var call = 0; call < 4; call++)
            {
                await Assert.ThrowsAsync<KubernetesApiException>(() => table.ReadAllAsync(Token));
            }

            cluster.Server.Requests.Clear();
            var error = await Assert.ThrowsAsync<KubernetesApiException>(() => table.ReadAllAsync(Token));
            Assert.Contains("is not asked for now", error.Message, StringComparison.Ordinal);
            Assert.Empty(cluster.Server.Requests.Snapshot());
        }

        await Task.Delay(pause + TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
        Assert.Empty((await table.ReadAllAsync(Token)).Members);
    }

    [Fact]
    public async Task ReadAll_Outage_IsUnavailableAndComesBack()
    {
        var table = cluster.CreateTable(_clusterId, options => options.MaxRetries = 1);
        await table.InitializeMembershipTableAsync(true, Token);
        await cluster.Server.StopListeningAsync();
        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => table.ReadAllAsync(Token));
        await cluster.Server.ListenAsync(Token);

        Assert.Equal(ApiFailure.Unavailable, error.Failure);
        Assert.Contains(
            $"127.0.0.1:{cluster.Server.Address.Port} did not answer get orleansclusters", error.Message, StringComparison.Ordinal);
        Assert.Empty((await table.ReadAllAsync(Token)).Members);
    }

    [Fact]
    public async Task Initialize_Outage_WaitsWithReasonUntilItEnds()
    {
        var health = new ClusteringHealth(TimeProvider.System);
        var table = cluster.CreateTable(
            _clusterId, options =>
                options.MaxRetries = 0, options => options.InitializationTimeout = TimeSpan.FromSeconds(30), health: health);
        await cluster.Server.StopListeningAsync();
        var initialization = table.InitializeMembershipTableAsync(true, Token);
        while (health.Problem is null)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
        }

        Assert.Contains("did not answer", health.Problem, StringComparison.Ordinal);
        Assert.False(initialization.IsCompleted);
        await cluster.Server.ListenAsync(Token);
        await initialization;
        Assert.Null(health.Problem);
        Assert.NotNull(health.LastSuccess);
    }

    private static bool Writes(ApiRequest request) => request.Method == "PUT";

    private static bool Reads(ApiRequest request) => request.Method == "GET" && !request.IsWatch;
}
