using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// One test for each of the twelve ways in which the community's Kubernetes provider (OrleansContrib 3632fa3) breaks the contract.
/// </summary>
[Trait("Kind", "Sockets")]
public sealed class CommunityProviderDefectsTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    private readonly string _clusterId = TableEntries.ClusterId();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>There: version first, then row, in two writes.</summary>
    [Fact]
    public async Task Defect01_WriteFails_VersionAndRowsAreUntouched()
    {
        var table = cluster.CreateTable(_clusterId, options => options.MaxRetries = 0);
        await table.InitializeMembershipTableAsync(true, Token);
        var before = await table.ReadAllAsync(Token);
        cluster.Server.Requests.Clear();
        using (cluster.Server.Faults.Add(
            new ApiFault { When = request => request.Method != "GET", Error = ApiException.Internal("fault") }))
        {
            await Assert.ThrowsAsync<KubernetesApiException>(
                () => table.InsertRowAsync(TableEntries.Entry(), before.Version.Next(), Token));
        }

        Assert.Equal(1, Mine().Count(request => request.Method != "GET"));
        Assert.Equal(before.Version, (await table.ReadAllAsync(Token)).Version);
    }

    /// <summary>There: version and rows in two requests.</summary>
    [Fact]
    public async Task Defect02_ReadAll_GetsRowsAndVersionInOneConsistentRequest()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        cluster.Server.Requests.Clear();

        await table.ReadAllAsync(Token);

        // A request without resourceVersion=0 is answered from etcd and not from a cache that may lag.
        Assert.Single(Mine(), request => request.Path.Contains("orleansclusters", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Defect02_ReadAll_StaleWatchCache_ShowsTheNewestRows()
    {
        Assert.SkipWhen(cluster.IsReal, "a real watch cache cannot be stopped");
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        cluster.Server.Registry.Store.FreezeCache();
        try
        {
            Assert.True(await table.InsertRowAsync(TableEntries.Entry(), (await table.ReadAllAsync(Token)).Version.Next(), Token));
            Assert.Single((await cluster.CreateTable(_clusterId).ReadAllAsync(Token)).Members);
        }
        finally
        {
            cluster.Server.Registry.Store.ThawCache();
        }
    }

    /// <summary>There: 409 leaves as an exception.</summary>
    [Fact]
    public async Task Defect03_Conflict_IsFalse()
    {
        var (mine, others) = (await cluster.CreateInitializedTableAsync(_clusterId), cluster.CreateTable(_clusterId));
        var version = (await mine.ReadAllAsync(Token)).Version;
        Assert.True(await others.InsertRowAsync(TableEntries.Entry(), (await others.ReadAllAsync(Token)).Version.Next(), Token));

        Assert.False(await mine.InsertRowAsync(TableEntries.Entry(), version.Next(), Token));
        Assert.False(await mine.UpdateRowAsync(TableEntries.Entry(), version.VersionEtag, version.Next(), Token));
    }

    /// <summary>There: only the number is compared; an etag of another state of the same number throws.</summary>
    [Fact]
    public async Task Defect04_SameVersionOtherEtag_IsFalse()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var version = (await table.ReadAllAsync(Token)).Version;
        Assert.False(await table.InsertRowAsync(TableEntries.Entry(), new TableVersion(version.Version + 1, "1"), Token));
        Assert.False(await table.InsertRowAsync(TableEntries.Entry(), new TableVersion(version.Version + 1, string.Empty), Token));
        Assert.Empty((await table.ReadAllAsync(Token)).Members);
    }

    /// <summary>There: a heartbeat reads, writes with an etag, throws on a conflict and makes concurrent votes fail.</summary>
    [Fact]
    public async Task Defect05_Heartbeat_IsOneWriteAndKeepsEtags()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active);
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        await table.UpdateIAmAliveAsync(entry, Token);
        var data = await table.ReadAllAsync(Token);
        cluster.Server.Requests.Clear();

        await table.UpdateIAmAliveAsync(entry, Token);

        Assert.Equal("PATCH", Assert.Single(Mine()).Method);
        Assert.True(await table.UpdateRowAsync(entry, data.Members[0].Item2, data.Version.Next(), Token));
    }

    /// <summary>There: a silo that was declared dead a moment ago vanishes, because only its heartbeat counts.</summary>
    [Fact]
    public async Task Defect06_Cleanup_KeepsWhoWasDeclaredDeadJustNow()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Dead);
        entry.StartTime = entry.IAmAliveTime = TableEntries.Now.AddDays(-30);
        entry.SuspectTimes = [Tuple.Create(TableEntries.Address(), TableEntries.Now)];
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));

        await table.CleanupDefunctSiloEntriesAsync(TimeProvider.System.GetUtcNow().AddHours(-1), Token);

        Assert.Single((await table.ReadAllAsync(Token)).Members);
    }

    /// <summary>There: the argument is ignored and the own cluster deleted.</summary>
    [Fact]
    public async Task Defect07_DeleteEntries_OfAnotherCluster_KeepsOurs()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        await table.DeleteMembershipTableEntriesAsync("another-cluster", Token);
        Assert.Empty((await table.ReadAllAsync(Token)).Members);
    }

    /// <summary>There: <c>{ip}-{port}-{generation}</c> with an IPv6 address, and the cluster id as it is, are no object names.</summary>
    [Fact]
    public async Task Defect08_IPv6AndAnyClusterId_AreStored()
    {
        var clusterId = $"My Cluster/{Guid.NewGuid()}!";
        var table = await cluster.CreateInitializedTableAsync(clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active, TableEntries.Address(IPAddress.IPv6Loopback));
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        await table.UpdateIAmAliveAsync(entry, Token);
    }

    /// <summary>There: role name and zones are dropped.</summary>
    [Fact]
    public async Task Defect09_RoleNameAndZones_AreKept()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active);
        (entry.RoleName, entry.UpdateZone, entry.FaultZone) = ("owg", 3, 4);
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));

        var row = (await table.ReadRowAsync(entry.SiloAddress, Token)).Members[0].Item1;

        Assert.Equal(("owg", 3, 4), (row.RoleName, row.UpdateZone, row.FaultZone));
    }

    /// <summary>There: everything in the namespace is listed, of all clusters, without labels and pages.</summary>
    [Fact]
    public async Task Defect10_ReadAll_AsksForThisClusterOnly()
    {
        var other = await cluster.CreateInitializedTableAsync(_clusterId + "-other");
        await other.UpdateIAmAliveAsync(TableEntries.Entry(), Token);
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        cluster.Server.Requests.Clear();

        await table.ReadAllAsync(Token);

        var list = Assert.Single(Mine(), request => request.Path.EndsWith("/leases", StringComparison.Ordinal));
        Assert.Contains("labelSelector=", list.Query, StringComparison.Ordinal);
        Assert.Contains("limit=500", list.Query, StringComparison.Ordinal);
    }

    /// <summary>There: Init swallows every error, and the next read returns no version.</summary>
    [Fact]
    public async Task Defect11_InitForbidden_Throws()
    {
        var token = await cluster.CreateUserAsync();
        var table = cluster.CreateTable(_clusterId, tokenFile: cluster.WriteToken(token));
        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => table.InitializeMembershipTableAsync(true, Token));
        Assert.Equal(ApiFailure.Forbidden, error.Failure);
    }

    /// <summary>There: no token is taken.</summary>
    [Fact]
    public async Task Defect12_CancelledToken_CancelsEveryMethod()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var cancelled = new CancellationToken(canceled: true);
        var entry = TableEntries.Entry();
        var version = (await table.ReadAllAsync(Token)).Version;
        Func<Task>[] calls =
        [
            () => table.InitializeMembershipTableAsync(true, cancelled),
            () => table.ReadAllAsync(cancelled),
            () => table.ReadRowAsync(entry.SiloAddress, cancelled),
            () => table.InsertRowAsync(entry, version.Next(), cancelled),
            () => table.UpdateIAmAliveAsync(entry, cancelled),
            () => table.CleanupDefunctSiloEntriesAsync(default, cancelled),
            () => table.DeleteMembershipTableEntriesAsync(_clusterId, cancelled),
            () => cluster.CreateGateways(_clusterId).GetGatewaysAsync(cancelled),
        ];
        foreach (var call in calls)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(call);
        }
    }

    /// <summary>There: no namespace option, its file untrimmed, the client never disposed, no printer columns and no status.</summary>
    [Fact]
    public async Task Defect12_NamespaceOptionAndDisposal_AreThere()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.UseOrleans(silo =>
        {
            silo.UseKubernetesClustering(configureApi: options => cluster.Configure(options));
            silo.UseKubernetesClustering();
        });
        using var host = builder.Build();
        var api = host.Services.GetRequiredService<Api.KubernetesApi>();
        Assert.Equal(cluster.Namespace, api.Namespace);
        Assert.IsType<KubernetesMembershipTable>(host.Services.GetRequiredService<IMembershipTable>());
        Assert.Single(host.Services.GetServices<IMembershipTable>());

        host.Dispose();

        var error = await Assert.ThrowsAnyAsync<Exception>(() => api.SendAsync(
            new ApiCall("get", ApiResource.OrleansClusters, cluster.Namespace, "x"), ClusteringJson.Compact.OrleansCluster, Token));
        Assert.IsNotType<KubernetesApiException>(error);
    }

    [Fact]
    public async Task Defect12_KubectlGet_ShowsSilosAndStatus()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active);
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));

        var (_, text) = await cluster.SendAsync(
            HttpMethod.Get, cluster.ClusterPath(ObjectNames.Cluster(_clusterId)),
            accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");

        var answer = JsonNode.Parse(text)!;
        string[] columns = [.. answer["columnDefinitions"]!.AsArray().Select(column => (string)column!["name"]!)];
        string[] cells = [.. answer["rows"]![0]!["cells"]!.AsArray().Select(cell => cell!.ToString())];
        Assert.Equal(["Name", "Version", "Silos", "Active", "Dead", "Members", "Cluster", "Age"], columns);
        Assert.Equal([ObjectNames.Cluster(_clusterId), "1", "1", "1", "0", "TestSiloName=Active", _clusterId], cells[..7]);
    }

    [Fact]
    public void Options_OutOfRange_AreAllReported()
    {
        var api = new KubernetesApiOptionsValidator().Validate(null, new KubernetesApiOptions
        {
            Pod = null,
            Address = new Uri("ftp://x"),
            KubeConfigPath = "x",
            Namespace = "Not_A_Namespace",
            RequestTimeout = TimeSpan.Zero,
            MaxRetries = 99,
            BreakDuration = TimeSpan.Zero,
        });
        var clustering = new KubernetesClusteringOptionsValidator().Validate(null, new KubernetesClusteringOptions
        {
            InitializationTimeout = TimeSpan.FromSeconds(-1),
            HeartbeatStaleness = TimeSpan.FromHours(1),
            MaxTableBytes = 1,
        });
        Assert.Equal(6, api.Failures!.Count());
        Assert.Equal(3, clustering.Failures!.Count());
        Assert.Equal(ValidateOptionsResult.Success, new KubernetesApiOptionsValidator().Validate(null, new KubernetesApiOptions()));
        Assert.Equal(
            ValidateOptionsResult.Success, new KubernetesClusteringOptionsValidator().Validate(null, new KubernetesClusteringOptions()));
    }

    private IEnumerable<ApiRequest> Mine() => cluster.Server.Requests.Snapshot().Select(item => item.Request);
}
