using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Cases beyond Orleans' own: addresses, several clusters, torn reads, size, contention.</summary>
[Trait("Kind", "Sockets")]
public sealed class MembershipTableOwnCasesTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    private readonly string _clusterId = TableEntries.ClusterId();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("fd00::1")]
    [InlineData("::1")]
    [InlineData("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")]
    public async Task AllMethods_IPv6Silo_Work(string ip)
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active, TableEntries.Address(IPAddress.Parse(ip)));
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        await table.UpdateIAmAliveAsync(
            new MembershipEntry { SiloAddress = entry.SiloAddress, IAmAliveTime = TableEntries.Now.AddMinutes(1) }, Token);

        var data = await cluster.CreateTable(_clusterId).ReadRowAsync(entry.SiloAddress, Token);

        Assert.Equal(entry.SiloAddress, data.Members[0].Item1.SiloAddress);
        Assert.InRange(data.Members[0].Item1.IAmAliveTime, entry.IAmAliveTime.AddSeconds(30), DateTime.MaxValue);
        var gateway = Assert.Single(await cluster.CreateGateways(_clusterId).GetGatewaysAsync(Token));
        Assert.Equal(entry.SiloAddress.ToGatewayUri(), gateway);
    }

    [Fact]
    public async Task Tables_TwoClustersInOneNamespace_DoNotMeet()
    {
        var (left, right) = (_clusterId, _clusterId.ToUpperInvariant());
        var leftTable = await cluster.CreateInitializedTableAsync(left);
        var rightTable = await cluster.CreateInitializedTableAsync(right);
        var address = TableEntries.Address();
        foreach (var table in (KubernetesMembershipTable[])[leftTable, rightTable])
        {
            var entry = TableEntries.Entry(SiloStatus.Active, address);
            Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
            await table.UpdateIAmAliveAsync(entry, Token);
        }

        await leftTable.DeleteMembershipTableEntriesAsync(left, Token);

        Assert.Single((await rightTable.ReadAllAsync(Token)).Members);
        Assert.Equal(1, await LeasesAsync(right));
        Assert.Equal(0, await LeasesAsync(left));
        await Assert.ThrowsAsync<KubernetesApiException>(() => leftTable.ReadAllAsync(Token));
    }

    [Fact]
    public async Task DeleteMembershipTableEntries_OtherClusterId_DeletesThatOne()
    {
        var mine = await cluster.CreateInitializedTableAsync(_clusterId);
        var others = await cluster.CreateInitializedTableAsync(_clusterId + "-other");

        await mine.DeleteMembershipTableEntriesAsync(_clusterId + "-other", Token);
        await mine.DeleteMembershipTableEntriesAsync(_clusterId + "-never-existed", Token);

        Assert.Empty((await mine.ReadAllAsync(Token)).Members);
        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => others.ReadAllAsync(Token));
        Assert.Equal(ApiFailure.NotFound, error.Failure);
    }

    [Fact]
    public async Task ReadAll_WhileOthersWrite_IsNeverTorn()
    {
        // Each write increases the version by one and adds one row, so a torn read shows as a count that differs from the version.
        var writer = await cluster.CreateInitializedTableAsync(_clusterId);
        using var done = new CancellationTokenSource();
        var reads = 0;
        var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(
            async () =>
            {
                var table = cluster.CreateTable(_clusterId);
                var last = 0;
                while (!done.IsCancellationRequested)
                {
                    var data = await table.ReadAllAsync(Token);
                    Assert.Equal(data.Version.Version, data.Members.Count);
                    Assert.InRange(data.Version.Version, last, int.MaxValue);
                    last = data.Version.Version;
                    Interlocked.Increment(ref reads);
                }
            },
            Token)).ToArray();
        for (var count = 0; count < 150; count++)
        {
            Assert.True(await writer.InsertRowAsync(TableEntries.Entry(), (await writer.ReadAllAsync(Token)).Version.Next(), Token));
        }

        await done.CancelAsync();
        await Task.WhenAll(readers);
        TestContext.Current.TestOutputHelper!.WriteLine($"150 writes, {reads} reads, none torn");
        Assert.InRange(reads, 20, int.MaxValue);
    }

    [Fact]
    public async Task Table_ThousandRows_ReadsAndWrites()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        await FillAsync(1000);
        var clock = Stopwatch.GetTimestamp();
        var data = await table.ReadAllAsync(Token);
        var read = Stopwatch.GetElapsedTime(clock);
        Assert.Equal(1000, data.Members.Count);

        var (row, etag) = data.Members[500];
        row.Status = SiloStatus.Dead;
        clock = Stopwatch.GetTimestamp();
        Assert.True(await table.UpdateRowAsync(row, etag, data.Version.Next(), Token));
        var write = Stopwatch.GetElapsedTime(clock);

        data = await table.ReadAllAsync(Token);
        Assert.Equal(1000, data.Members.Count);
        Assert.Equal(SiloStatus.Dead, data.TryGet(row.SiloAddress)!.Item1.Status);
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"1,000 rows: read {read.TotalMilliseconds:F1} ms, write {write.TotalMilliseconds:F1} ms");
    }

    [Fact]
    public async Task UpdateIAmAlive_SixHundredSilos_AreAllListed()
    {
        // More than one page of a list.
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        await FillAsync(600);
        var rows = (await table.ReadAllAsync(Token)).Members;
        var time = TableEntries.Now.AddMinutes(5);
        await Parallel.ForEachAsync(
            rows,
            new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Token },
            async (row, token) => await table.UpdateIAmAliveAsync(
                new MembershipEntry { SiloAddress = row.Item1.SiloAddress, IAmAliveTime = time }, token));

        var data = await cluster.CreateTable(_clusterId).ReadAllAsync(Token);

        Assert.All(data.Members, member => Assert.Equal(time, member.Item1.IAmAliveTime));
        await table.DeleteMembershipTableEntriesAsync(_clusterId, Token);
        Assert.Equal(0, await LeasesAsync(_clusterId));
    }

    [Fact]
    public async Task InsertRow_TwentySilosAtOnce_AllJoin()
    {
        const int Silos = 20;
        await cluster.CreateInitializedTableAsync(_clusterId);
        var random = new Random(7);
        var conflicts = 0;
        var worst = 0;
        var clock = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Silos).Select(async index =>
        {
            var table = cluster.CreateTable(_clusterId);
            var entry = TableEntries.Entry();
            var tries = await RetryAsync(async data => await table.InsertRowAsync(entry, data.Version.Next(), Token))
                + await RetryAsync(async data =>
                {
                    var (row, etag) = data.TryGet(entry.SiloAddress)!;
                    row.Status = SiloStatus.Active;
                    return await table.UpdateRowAsync(row, etag, data.Version.Next(), Token);
                });
            Interlocked.Add(ref conflicts, tries);
            lock (random)
            {
                worst = Math.Max(worst, tries);
            }

            // Orleans reads, tries, and waits a little longer each time.
            async Task<int> RetryAsync(Func<MembershipTableData, Task<bool>> change)
            {
                for (var failed = 0; ; failed++)
                {
                    if (await change(await table.ReadAllAsync(Token)))
                    {
                        return failed;
                    }

                    TimeSpan pause;
                    lock (random)
                    {
                        pause = TimeSpan.FromMilliseconds(20 * Math.Min(8, failed + 1) * random.NextDouble());
                    }

                    await Task.Delay(pause, TimeProvider.System, Token);
                }
            }
        }));
        var elapsed = Stopwatch.GetElapsedTime(clock);

        var table = await cluster.CreateTable(_clusterId).ReadAllAsync(Token);
        Assert.Equal(Silos * 2, table.Version.Version);
        Assert.Equal(Silos, table.Members.Count(member => member.Item1.Status == SiloStatus.Active));
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{Silos} silos joined (insert, then active) in {elapsed.TotalMilliseconds:F0} ms with {conflicts} conflicts, at most {worst} for one silo");
    }

    [Fact]
    public async Task Heartbeats_WhileOthersWrite_NeverConflict()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active);
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        var data = await table.ReadAllAsync(Token);

        await Task.WhenAll(Enumerable.Range(0, 50).Select(second => table.UpdateIAmAliveAsync(
            new MembershipEntry { SiloAddress = entry.SiloAddress, IAmAliveTime = TableEntries.Now.AddSeconds(second) }, Token)));

        Assert.True(await table.UpdateRowAsync(entry, data.Members[0].Item2, data.Version.Next(), Token));
        Assert.Equal(1, await LeasesAsync(_clusterId));
    }

    [Fact]
    public async Task CleanupDefunctSiloEntries_DeadSiloWithLease_DeletesTheLeaseToo()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var dead = TableEntries.Entry(SiloStatus.Dead);
        var live = TableEntries.Entry(SiloStatus.Active);
        foreach (var entry in (MembershipEntry[])[dead, live])
        {
            entry.StartTime = entry.IAmAliveTime = TableEntries.Now.AddDays(-2);
            Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
            await table.UpdateIAmAliveAsync(entry, Token);
        }

        var orphan = new MembershipEntry { SiloAddress = TableEntries.Address(), IAmAliveTime = TableEntries.Now.AddDays(-2) };
        await table.UpdateIAmAliveAsync(orphan, Token);
        Assert.Equal(3, await LeasesAsync(_clusterId));

        // Several silos may clean at once: what another one deleted first is no error.
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ =>
            cluster.CreateTable(_clusterId).CleanupDefunctSiloEntriesAsync(TimeProvider.System.GetUtcNow().AddDays(-1), Token)));

        Assert.Equal(1, await LeasesAsync(_clusterId));
        Assert.Equal(live.SiloAddress, Assert.Single((await table.ReadAllAsync(Token)).Members).Item1.SiloAddress);
    }

    [Fact]
    public async Task UpdateRow_ForeignLabelsAndAnnotations_Stay()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var path = cluster.ClusterPath(ObjectNames.Cluster(_clusterId));
        await cluster.SendAsync(
            HttpMethod.Patch, path, JsonNode.Parse("""{"metadata":{"labels":{"team":"net"},"annotations":{"note":"x"}}}"""),
            contentType: "application/merge-patch+json");

        Assert.True(await table.InsertRowAsync(TableEntries.Entry(), (await table.ReadAllAsync(Token)).Version.Next(), Token));

        var stored = JsonNode.Parse((await cluster.SendAsync(HttpMethod.Get, path)).Text)!;
        Assert.Equal("net", (string?)stored["metadata"]!["labels"]!["team"]);
        Assert.Equal("x", (string?)stored["metadata"]!["annotations"]!["note"]);
        Assert.Equal("1", (string?)stored["metadata"]!["annotations"]![ObjectNames.VersionAnnotation]);
        Assert.Equal(1, (int)stored["status"]!["silos"]!);
        Assert.Equal("TestSiloName=Joining", (string?)stored["status"]!["members"]);
    }

    [Fact]
    public async Task ReadAll_UnreadableRow_ThrowsInsteadOfHidingASilo()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        await cluster.SendAsync(
            HttpMethod.Patch,
            cluster.ClusterPath(ObjectNames.Cluster(_clusterId)),
            JsonNode.Parse("""{"spec":{"silos":["this is not a membership row"]}}"""),
            contentType: "application/merge-patch+json");

        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => table.ReadAllAsync(Token));

        Assert.Contains("this is not a membership row", error.Message, StringComparison.Ordinal);
    }

    private async Task<int> LeasesAsync(string clusterId)
    {
        var label = Uri.EscapeDataString($"{ObjectNames.ClusterLabel}={ObjectNames.Cluster(clusterId)}");
        var (_, text) = await cluster.SendAsync(HttpMethod.Get, cluster.LeasePath() + "?labelSelector=" + label);
        return JsonNode.Parse(text)!["items"]!.AsArray().Count;
    }

    // In one write, as 1,000 inserts would only test the same thing 1,000 times.
    private async Task FillAsync(int rows)
    {
        var lines = Enumerable.Range(0, rows).Select(index =>
        {
            var entry = TableEntries.Entry(SiloStatus.Active, SiloAddress.New(IPAddress.Parse("10.1.0.0"), 1000 + index, 1));
            entry.SiloName = string.Create(CultureInfo.InvariantCulture, $"node-{index:d4}");
            return (JsonNode)JsonValue.Create(MembershipRowCodec.Encode(entry));
        });
        var patch = new JsonObject { ["spec"] = new JsonObject { ["version"] = rows, ["silos"] = new JsonArray([.. lines]) } };
        var (code, text) = await cluster.SendAsync(
            HttpMethod.Patch, cluster.ClusterPath(ObjectNames.Cluster(_clusterId)), patch, contentType: "application/merge-patch+json");
        Assert.True(code == HttpStatusCode.OK, text);
    }
}
