using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Supervision;
using Orleans.WireGuard.Tests.Support;
using StackExchange.Redis;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// Every store that keeps membership outside of the silos: what it forgets ends the silo, and what it does not forget does not.
/// </summary>
[Trait("Kind", "Sockets")]
public sealed class SharedMembershipTableTests(ApiCluster cluster) : IClassFixture<ApiCluster>, IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _clusterId = TableEntries.ClusterId();
    private readonly int _redisPort = FreePort();
    private Process? _redis;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Both stores, and what they may lose.</summary>
    public static TheoryData<ClusteringProvider, string> Losses { get; } = new()
    {
        { ClusteringProvider.Redis, "all" },
        { ClusteringProvider.Redis, "row" },
        { ClusteringProvider.Redis, "version" },
        { ClusteringProvider.Kubernetes, "all" },
        { ClusteringProvider.Kubernetes, "row" },
        { ClusteringProvider.Kubernetes, "version" },
    };

    [Theory]
    [MemberData(nameof(Losses))]
    public async Task ReadAll_StoreForgot_EndsTheSiloAndLeavesATable(ClusteringProvider provider, string loss)
    {
        using var host = Build(provider);
        var (table, end) = (host.Services.GetRequiredService<IMembershipTable>(), host.Services.GetRequiredService<SiloEnd>());
        await JoinAsync(host, table);
        await ForgetAsync(provider, loss);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ReadUntilAsync(table, end.Stopping));

        Assert.Contains("it has forgotten what this silo wrote", end.Reason, StringComparison.Ordinal);

        // The next silo finds one, and this one's goodbye is no part of it.
        Assert.NotNull((await table.ReadAllAsync(Token)).Version);
        var self = TableEntries.Entry(SiloStatus.Dead, host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress);
        Assert.True(await table.InsertRowAsync(self, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        if (loss == "all")
        {
            Assert.Empty((await table.ReadAllAsync(Token)).Members);
        }
    }

    [Theory]
    [InlineData(ClusteringProvider.Redis)]
    [InlineData(ClusteringProvider.Kubernetes)]
    public async Task ReadAll_OthersWriteAndTheSiloSaysGoodbye_GoesOn(ClusteringProvider provider)
    {
        using var host = Build(provider);
        var (table, end) = (host.Services.GetRequiredService<IMembershipTable>(), host.Services.GetRequiredService<SiloEnd>());
        var self = await JoinAsync(host, table);
        for (var number = 0; number < 5; number++)
        {
            var other = TableEntries.Entry(SiloStatus.Active, SiloAddress.New(IPAddress.Loopback, 5_000 + number, 1));
            Assert.True(await table.InsertRowAsync(other, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        }

        await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, Token);
        var read = (await table.ReadAllAsync(Token)).TryGet(self.SiloAddress);
        self.Status = SiloStatus.Dead;
        Assert.True(await table.UpdateRowAsync(self, read!.Item2, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        Assert.Equal(SiloStatus.Dead, (await table.ReadAllAsync(Token)).TryGet(self.SiloAddress)!.Item1.Status);
        Assert.Null(end.Reason);
    }

    // The clock was set back, and the table could not be read when the generation was chosen.
    [Theory]
    [InlineData(ClusteringProvider.Redis)]
    [InlineData(ClusteringProvider.Kubernetes)]
    public async Task ReadAll_LaterGenerationOfOurAddress_EndsTheSiloWithASentenceAboutTheClock(ClusteringProvider provider)
    {
        using var host = Build(provider);
        var (table, end) = (host.Services.GetRequiredService<IMembershipTable>(), host.Services.GetRequiredService<SiloEnd>());
        var own = host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;
        await table.InitializeMembershipTableAsync(true, Token);
        var former = TableEntries.Entry(SiloStatus.Active, SiloAddress.New(own.Endpoint, own.Generation + 3_600));
        Assert.True(await table.InsertRowAsync(former, (await table.ReadAllAsync(Token)).Version.Next(), Token));

        await Assert.ThrowsAsync<InvalidOperationException>(() => table.ReadAllAsync(Token));

        Assert.Contains("The clock of this node says", end.Reason, StringComparison.Ordinal);
        Assert.Contains("01:00:00", end.Reason, StringComparison.Ordinal);

        // The next process of the node reads first.
        var generation = ActivatorUtilities.CreateInstance<SiloGeneration>(host.Services);
        await generation.ChooseAsync(host.Services.GetRequiredService<SharedMembershipTable>(), own.Endpoint, TimeProvider.System, Token);
        Assert.Equal(own.Generation + 3_601, generation.Value);
    }

    // What is changed for the reader must not reach the store, not by a vote of the reader either.
    [Theory]
    [InlineData(ClusteringProvider.Redis)]
    [InlineData(ClusteringProvider.Kubernetes)]
    public async Task ReadAll_AnotherSiloJoins_IsHiddenHereAndKeptInTheStore(ClusteringProvider provider)
    {
        using var host = Build(provider);
        var table = host.Services.GetRequiredService<IMembershipTable>();
        await JoinAsync(host, table);
        var other = TableEntries.Entry(SiloStatus.Joining, SiloAddress.New(IPAddress.Loopback, 5_000, 1));
        Assert.True(await table.InsertRowAsync(other, (await table.ReadAllAsync(Token)).Version.Next(), Token));

        Assert.Equal(SiloStatus.Created, (await table.ReadAllAsync(Token)).TryGet(other.SiloAddress)!.Item1.Status);
        Assert.Equal(SiloStatus.Joining, (await table.ReadRowAsync(other.SiloAddress, Token)).Members.Single().Item1.Status);

        var shown = await table.ReadAllAsync(Token);
        var (row, etag) = shown.TryGet(other.SiloAddress)!;
        row.AddOrUpdateSuspector(
            host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress, TimeProvider.System.GetUtcNow().UtcDateTime, 3);
        Assert.True(await table.UpdateRowAsync(row, etag, shown.Version.Next(), Token));
        var stored = (await table.ReadRowAsync(other.SiloAddress, Token)).Members.Single().Item1;
        Assert.Equal((SiloStatus.Joining, 1), (stored.Status, stored.SuspectTimes!.Count));
    }

    // Its table is in the silo's own memory, and nobody else is in it.
    [Fact]
    public void Development_HasNothingToForget()
    {
        using var host = Build(ClusteringProvider.Development);
        Assert.Null(host.Services.GetService<SharedMembershipTable>());
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        var port = _redisPort.ToString(CultureInfo.InvariantCulture);
        _redis = Process.Start(
            new ProcessStartInfo("redis-server", ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            {
                RedirectStandardOutput = true,
                WorkingDirectory = Path.GetTempPath(),
            })!;
        _redis.OutputDataReceived += static (_, _) => { };
        _redis.BeginOutputReadLine();
        while (true)
        {
            try
            {
                await using var client = await ConnectAsync();
                return;
            }
            catch (RedisConnectionException)
            {
                Assert.False(_redis.HasExited, "redis-server ended.");
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_redis is not null)
        {
            _redis.Kill();
            await _redis.WaitForExitAsync(CancellationToken.None);
            _redis.Dispose();
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private Task<ConnectionMultiplexer> ConnectAsync() => ConnectionMultiplexer.ConnectAsync(
        new ConfigurationOptions { EndPoints = { { IPAddress.Loopback, _redisPort } }, ConnectRetry = 0 });

    private static async Task ReadUntilAsync(IMembershipTable table, CancellationToken stopping)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Patience);
        while (true)
        {
            try
            {
                await table.ReadAllAsync(Token);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // There is none.
            }

            stopping.ThrowIfCancellationRequested();
            Assert.False(limit.IsCancellationRequested, "The silo goes on without its row.");
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Token);
        }
    }

    private static async Task<MembershipEntry> JoinAsync(IHost host, IMembershipTable table)
    {
        await table.InitializeMembershipTableAsync(true, Token);
        var self = TableEntries.Entry(SiloStatus.Joining, host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress);
        Assert.True(await table.InsertRowAsync(self, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        var read = await table.ReadAllAsync(Token);
        self.Status = SiloStatus.Active;
        Assert.True(await table.UpdateRowAsync(self, read.TryGet(self.SiloAddress)!.Item2, read.Version.Next(), Token));
        return self;
    }

    private IHost Build(ClusteringProvider provider)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.UseOrleans(silo =>
        {
            silo.Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (_clusterId, "owg"));
            silo.ConfigureEndpoints(IPAddress.Loopback, 4_999, 0);
            _ = provider switch
            {
                ClusteringProvider.Redis => silo.UseRedisMembership(string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_redisPort}")),
                ClusteringProvider.Kubernetes => silo.UseKubernetesClustering(configureApi: options => cluster.Configure(options))
                    .UseSharedTable(),
                _ => silo.UseLocalhostClustering(),
            };
        });
        var host = builder.Build();

        // As the silo's own construction does.
        _ = host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;
        return host;
    }

    private async Task ForgetAsync(ClusteringProvider provider, string loss)
    {
        if (provider == ClusteringProvider.Redis)
        {
            await using var client = await ConnectAsync();
            var (database, key) = (client.GetDatabase(), $"owg/members/{_clusterId}");
            var fields = await database.HashKeysAsync(key);
            Task forgetting = loss switch
            {
                "all" => database.ExecuteAsync("FLUSHALL"),
                "row" => database.HashDeleteAsync(key, fields.Single(field => field != "Version")),
                _ => database.HashSetAsync(key, "Version", "1"),
            };
            await forgetting;
            return;
        }

        var path = $"apis/{ApiResource.OrleansClusters.ApiVersion}/namespaces/{cluster.Namespace}/orleansclusters/{ObjectNames.Cluster(_clusterId)}";
        if (loss == "all")
        {
            await cluster.SendAsync(HttpMethod.Delete, path);
            return;
        }

        var (_, text) = await cluster.SendAsync(HttpMethod.Get, path);
        var document = JsonNode.Parse(text)!;
        if (loss == "row")
        {
            document["spec"]!["silos"] = new JsonArray();
        }
        else
        {
            document["spec"]!["version"] = 1;
        }

        var (code, answer) = await cluster.SendAsync(HttpMethod.Put, path, document.AsObject());
        Assert.True(code == HttpStatusCode.OK, answer);
    }
}
