using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// What the table does when something that it needs is missing, wrong or used up: its definition and namespace, rights, token and
/// authority, a clock that is right, and room.
/// </summary>
/// <remarks>
/// Somebody has to put it right, so he is told how; a new token or authority is taken without a restart. Faults that pass by themselves
/// are in <see cref="MembershipTableFaultTests"/>.
/// </remarks>
[Trait("Kind", "Sockets")]
public sealed class MembershipTableNeedsTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    private readonly string _clusterId = TableEntries.ClusterId();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Initialize_DefinitionMissing_SaysWhatToApply()
    {
        Assert.SkipWhen(cluster.IsReal, "would remove the definition under other tests of a shared cluster");
        await using var other = new ApiCluster();
        await other.InitializeAsync();
        await other.SendAsync(
            HttpMethod.Delete, "apis/apiextensions.k8s.io/v1/customresourcedefinitions/orleansclusters.orleans.wireguard");

        var error = await Assert.ThrowsAsync<KubernetesApiException>(
            () => other.CreateTable(_clusterId).InitializeMembershipTableAsync(true, Token));

        Assert.Equal(ApiFailure.MissingDefinition, error.Failure);
        Assert.Contains("kubectl apply -f deploy/crds/orleansclusters.yaml", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("orleans.wireguard", "orleansclusters", "get")]
    [InlineData("orleans.wireguard", "orleansclusters", "create")]
    [InlineData("orleans.wireguard", "orleansclusters", "update")]
    [InlineData("coordination.k8s.io", "leases", "list")]
    [InlineData("coordination.k8s.io", "leases", "create")]
    [InlineData("coordination.k8s.io", "leases", "patch")]
    public async Task AnyMethod_RbacVerbMissing_NamesVerbAndResource(string group, string resource, string verb)
    {
        var token = await cluster.CreateUserAsync(
            Rule("orleans.wireguard", "orleansclusters", "get", "create", "update"), Rule(
                "coordination.k8s.io", "leases", "list", "create", "patch"));
        var table = cluster.CreateTable(_clusterId, tokenFile: cluster.WriteToken(token));
        var error = await Assert.ThrowsAsync<KubernetesApiException>(async () =>
        {
            await table.InitializeMembershipTableAsync(true, Token);
            var entry = TableEntries.Entry();
            await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token);
            await table.UpdateIAmAliveAsync(entry, Token);
        });

        Assert.Equal(ApiFailure.Forbidden, error.Failure);
        Assert.Contains($"verb \"{verb}\" on resource \"{resource}\" of API group \"{group}\"", error.Message, StringComparison.Ordinal);
        Assert.Contains($"in namespace \"{cluster.Namespace}\"", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, error.Attempts);

        AccessRule Rule(string ofGroup, string ofResource, params string[] verbs) =>
            new(ofGroup, ofResource, [.. verbs.Where(each => !(ofResource == resource && each == verb))], cluster.Namespace);
    }

    [Fact]
    public async Task ReadAll_TokenReplacedInItsFile_IsReadAgainAfter401()
    {
        Assert.SkipWhen(cluster.IsReal, "a real token cannot be expired at will");
        var first = cluster.Server.AddToken("silo", AccessRule.Everything);
        var file = cluster.WriteToken(first);
        var table = cluster.CreateTable(_clusterId, tokenFile: file);
        await table.InitializeMembershipTableAsync(true, Token);

        cluster.Server.ExpireToken(first);
        await File.WriteAllTextAsync(file, cluster.Server.AddToken("silo", AccessRule.Everything), Token);

        Assert.Empty((await table.ReadAllAsync(Token)).Members);
    }

    [Fact]
    public async Task ReadAll_AuthorityReplacedInItsFile_IsReadAgain()
    {
        await using var other = new ApiCluster();
        await other.InitializeAsync();
        var table = other.CreateTable(_clusterId, options => options.MaxRetries = 0);
        await table.InitializeMembershipTableAsync(true, Token);

        await other.ReplaceAuthorityAsync();
        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => table.ReadAllAsync(Token));
        Assert.Equal(ApiFailure.Unavailable, error.Failure);
        Assert.Contains("SSL", error.Message, StringComparison.Ordinal);

        await File.WriteAllTextAsync(other.AuthorityFile, other.Server.AuthorityPem, Token);
        Assert.Empty((await table.ReadAllAsync(Token)).Members);
    }

    [Theory]
    [InlineData(2, "02:00:00 behind")]
    [InlineData(-48, "2.00:00:00 ahead of")]
    public async Task ReadAll_ClockFarOff_SaysHowFarAndGoesOn(int serverIsAheadHours, string expected)
    {
        await using var other = new ApiCluster();
        await other.InitializeAsync();
        var api = other.CreateApi();
        var get = new ApiCall("list", ApiResource.Leases, other.Namespace, null);
        other.Server.Faults.ClockOffset = TimeSpan.FromSeconds(10);
        await api.SendAsync(get, ClusteringJson.Compact.Acknowledgement, Token);
        Assert.Null(api.ClockProblem);

        other.Server.Faults.ClockOffset = TimeSpan.FromHours(serverIsAheadHours);
        await api.SendAsync(get, ClusteringJson.Compact.Acknowledgement, Token);
        Assert.StartsWith($"this node's clock is {expected} the API server's", api.ClockProblem, StringComparison.Ordinal);

        other.Server.Faults.ClockOffset = TimeSpan.Zero;
        await api.SendAsync(get, ClusteringJson.Compact.Acknowledgement, Token);
        Assert.Null(api.ClockProblem);
    }

    /// <summary>
    /// A silo whose clock is wrong writes heartbeats of another time. Nobody removes it or its lease for that, and Orleans reads what it
    /// wrote.
    /// </summary>
    [Theory]
    [InlineData(-3)]
    [InlineData(3)]
    public async Task UpdateIAmAlive_ClockHoursOff_KeepsRowAndLease(int hours)
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active);
        var said = TableEntries.Now.AddHours(hours);
        (entry.StartTime, entry.IAmAliveTime) = (said, said);
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        await table.UpdateIAmAliveAsync(new MembershipEntry { SiloAddress = entry.SiloAddress, IAmAliveTime = said.AddSeconds(30) }, Token);

        var other = cluster.CreateTable(_clusterId);
        await other.CleanupDefunctSiloEntriesAsync(TimeProvider.System.GetUtcNow().AddHours(-1), Token);

        var row = Assert.Single((await other.ReadAllAsync(Token)).Members).Item1;
        Assert.Equal(said.AddSeconds(30), row.IAmAliveTime);
        Assert.True(await table.UpdateRowAsync(
            entry, (await table.ReadAllAsync(Token)).Members[0].Item2, (await table.ReadAllAsync(Token)).Version.Next(), Token));
    }

    [Fact]
    public async Task ReadAll_TokenExpired_SaysSo()
    {
        var table = cluster.CreateTable(_clusterId, tokenFile: cluster.WriteToken("not-a-token"));

        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => table.ReadAllAsync(Token));

        Assert.Equal(ApiFailure.Unauthorized, error.Failure);
        Assert.Contains("token is mounted and not expired", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Initialize_NamespaceMissing_NamesIt()
    {
        var table = cluster.CreateTable(_clusterId, options => options.Namespace = "owg-no-such-namespace");

        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => table.InitializeMembershipTableAsync(true, Token));

        Assert.Equal(ApiFailure.NotFound, error.Failure);
        Assert.Contains("namespaces \"owg-no-such-namespace\" not found", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InsertRow_TableLargerThanOurLimit_SaysHowToProceed()
    {
        var table = cluster.CreateTable(_clusterId, change: options => options.MaxTableBytes = 64 * 1024);
        await table.InitializeMembershipTableAsync(true, Token);
        await FillAsync(rows: 60, rowLength: 1100);

        var error = await Assert.ThrowsAsync<KubernetesApiException>(
            async () => await table.InsertRowAsync(TableEntries.Entry(), (await table.ReadAllAsync(Token)).Version.Next(), Token));

        Assert.Equal(ApiFailure.TooLarge, error.Failure);
        Assert.Contains("DefunctSiloMinimumRetention", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InsertRow_TableLargerThanEtcdStores_IsTooLargeAndNotRetried()
    {
        var table = cluster.CreateTable(_clusterId, change: options => options.MaxTableBytes = int.MaxValue);
        await table.InitializeMembershipTableAsync(true, Token);
        await FillAsync(rows: 1500, rowLength: 1000);
        var data = await table.ReadAllAsync(Token);
        var entry = TableEntries.Entry();
        entry.SuspectTimes = [.. Enumerable.Range(0, 90).Select(_ => Tuple.Create(entry.SiloAddress, entry.StartTime))];
        KubernetesApiException? error = null;
        for (var count = 0; count < 40 && error is null; count++)
        {
            entry.SiloAddress = TableEntries.Address();
            try
            {
                Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
            }
            catch (KubernetesApiException failure)
            {
                error = failure;
            }
        }

        Assert.NotNull(error);
        Assert.Equal(ApiFailure.TooLarge, error.Failure);
        Assert.Equal(1, error.Attempts);
        TestContext.Current.TestOutputHelper!.WriteLine(error.Message);
    }

    private async Task FillAsync(int rows, int rowLength)
    {
        var lines = Enumerable.Range(0, rows).Select(_ =>
        {
            var entry = TableEntries.Entry(SiloStatus.Active);
            entry.SiloName = new string('x', rowLength - 100);
            return (JsonNode)JsonValue.Create(MembershipRowCodec.Encode(entry));
        });
        var patch = new JsonObject { ["spec"] = new JsonObject { ["version"] = rows, ["silos"] = new JsonArray([.. lines]) } };
        var (code, text) = await cluster.SendAsync(
            HttpMethod.Patch, cluster.ClusterPath(ObjectNames.Cluster(_clusterId)), patch, contentType: "application/merge-patch+json");
        Assert.True(code == HttpStatusCode.OK, text);
    }
}
