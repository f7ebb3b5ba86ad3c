using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Every case of Orleans' own membership tables tests (MembershipTableTestsBase), with 10.4.2's rule for the cleanup.</summary>
[Trait("Kind", "Sockets")]
public sealed class MembershipTableConformanceTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    private readonly string _clusterId = TableEntries.ClusterId();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GetGateways_TenRows_ReturnsActiveWithGatewayPort()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var gateways = cluster.CreateGateways(_clusterId);
        await gateways.InitializeGatewayListProviderAsync(Token);
        var entries = Enumerable.Range(0, 10).Select(_ => TableEntries.Entry()).ToArray();
        entries[3].Status = SiloStatus.Active;
        entries[3].ProxyPort = 0;
        entries[5].Status = SiloStatus.Active;
        entries[9].Status = SiloStatus.Active;
        var version = (await table.ReadAllAsync(Token)).Version;
        foreach (var entry in entries)
        {
            Assert.True(await table.InsertRowAsync(entry, version.Next(), Token));
            version = (await table.ReadRowAsync(entry.SiloAddress, Token)).Version;
        }

        var found = await gateways.GetGatewaysAsync(Token);

        // In any order: as text generation 10 comes before 9, and how far the count has come depends on the tests before this one.
        Assert.Equal(2, found.Count);
        Assert.Equal(new HashSet<Uri> { entries[5].SiloAddress.ToGatewayUri(), entries[9].SiloAddress.ToGatewayUri() }, found.ToHashSet());
    }

    [Fact]
    public async Task ReadAll_EmptyTable_HasVersionZeroAndEtag()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);

        var data = await table.ReadAllAsync(Token);

        Assert.Empty(data.Members);
        Assert.False(string.IsNullOrEmpty(data.Version.VersionEtag));
        Assert.Equal(0, data.Version.Version);
    }

    [Fact]
    public async Task InsertRow_NextVersion_Succeeds()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var data = await table.ReadAllAsync(Token);

        Assert.True(await table.InsertRowAsync(TableEntries.Entry(), data.Version.Next(), Token));

        data = await table.ReadAllAsync(Token);
        Assert.Equal(1, data.Version.Version);
        Assert.Single(data.Members);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Read_AfterInsert_ReturnsRowEtagAndVersion(bool oneRow)
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var next = (await table.ReadAllAsync(Token)).Version.Next();
        var entry = TableEntries.Entry();
        Assert.True(await table.InsertRowAsync(entry, next, Token));
        Assert.False(await table.InsertRowAsync(entry, next, Token), "same entry, old version");
        Assert.False(await table.InsertRowAsync(TableEntries.Entry(), next, Token), "new entry, old version");
        var data = await table.ReadAllAsync(Token);
        Assert.Equal(1, data.Version.Version);
        Assert.False(await table.InsertRowAsync(entry, data.Version.Next(), Token), "duplicate entry, right version");

        data = oneRow ? await table.ReadRowAsync(entry.SiloAddress, Token) : await table.ReadAllAsync(Token);

        var (row, etag) = Assert.Single(data.Members);
        Assert.Equal(entry.ToFullString(), row.ToFullString());
        Assert.False(string.IsNullOrEmpty(etag));
        Assert.NotEqual(next.VersionEtag, data.Version.VersionEtag);
        Assert.Equal(next.Version, data.Version.Version);
    }

    [Fact]
    public async Task ReadRow_UnknownSilo_ReturnsVersionOnly()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var data = await table.ReadRowAsync(TableEntries.Address(), Token);
        Assert.Empty(data.Members);
        Assert.Equal(0, data.Version.Version);
    }

    [Fact]
    public async Task UpdateRow_RightAndWrongEtags_ChangesOnlyWhenBothAreRight()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var data = await table.ReadAllAsync(Token);
        for (var count = 1; count < 10; count++)
        {
            var entry = TableEntries.Entry();
            entry.SuspectTimes = [Tuple.Create(TableEntries.Address(), TableEntries.Now.AddSeconds(1)), Tuple.Create(
                TableEntries.Address(), TableEntries.Now.AddSeconds(2))];
            var version = data.Version.Next();
            Assert.True(await table.InsertRowAsync(entry, version, Token));
            data = await table.ReadAllAsync(Token);
            var before = data.TryGet(entry.SiloAddress)!.Item2;
            Assert.False(await table.UpdateRowAsync(entry, before, version, Token), "right etag, old version");
            data = await table.ReadAllAsync(Token);
            version = data.Version.Next();
            Assert.False(await table.UpdateRowAsync(entry, "another", version, Token), "wrong etag, right version");
            Assert.True(await table.UpdateRowAsync(entry, before, version, Token), "right etag, right version");
            Assert.False(await table.UpdateRowAsync(entry, before, version, Token), "old etag, old version");
            data = await table.ReadAllAsync(Token);
            var (row, after) = data.TryGet(entry.SiloAddress)!;
            Assert.Equal(entry.ToFullString(), row.ToFullString());
            Assert.False(await table.UpdateRowAsync(entry, after, version, Token), "new etag, old version");
            data = await table.ReadAllAsync(Token);
            Assert.Equal(after, data.TryGet(entry.SiloAddress)!.Item2);
            Assert.Equal(version.Version, data.Version.Version);
            Assert.Equal(count, data.Members.Count);
        }
    }

    [Fact]
    public async Task UpdateRow_MissingRow_IsFalse()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var data = await table.ReadAllAsync(Token);
        Assert.False(await table.UpdateRowAsync(TableEntries.Entry(), data.Version.VersionEtag, data.Version.Next(), Token));
    }

    [Fact]
    public async Task UpdateRow_TwentyInParallel_AllSucceedInTurn()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry();
        var version = (await table.ReadAllAsync(Token)).Version.Next();
        var insertions = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => table.InsertRowAsync(entry, version, Token)));
        Assert.Single(insertions, inserted => inserted);

        await Task.WhenAll(Enumerable.Range(0, 19).Select(async _ =>
        {
            bool isDone;
            do
            {
                var data = await table.ReadAllAsync(Token);
                var (row, etag) = data.TryGet(entry.SiloAddress)!;
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Token);
                isDone = await table.UpdateRowAsync(row, etag, data.Version.Next(), Token);
            }
            while (!isDone);
        })).WaitAsync(TimeSpan.FromSeconds(30), Token);

        var last = await table.ReadAllAsync(Token);
        Assert.Equal(20, last.Version.Version);
        Assert.Single(last.Members);
    }

    [Fact]
    public async Task UpdateIAmAlive_OnlyAddressAndTime_ChangesNothingElse()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active);
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        var before = await table.ReadAllAsync(Token);
        var time = TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(5);

        await table.UpdateIAmAliveAsync(new MembershipEntry { SiloAddress = entry.SiloAddress, IAmAliveTime = time }, Token);

        var other = cluster.CreateTable(_clusterId);
        foreach (var reader in (KubernetesMembershipTable[])[table, other])
        {
            var data = await reader.ReadAllAsync(Token);
            var row = Assert.Single(data.Members).Item1;
            Assert.InRange((time - row.IAmAliveTime).Duration(), TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
            Assert.Equal(before.Version, data.Version);
            Assert.Equal(SiloStatus.Active, row.Status);
            Assert.Equal(entry.SiloName, row.SiloName);
        }

        // What was read before the heartbeat is still good for a write after it.
        Assert.True(await table.UpdateRowAsync(entry, before.Members[0].Item2, before.Version.Next(), Token));
    }

    [Fact]
    public async Task CleanupDefunctSiloEntries_EveryStatus_RemovesOldDeadOnly()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        List<MembershipEntry> entries = [TableEntries.Entry()];
        foreach (var status in Enum.GetValues<SiloStatus>())
        {
            entries.Add(Old(TableEntries.Entry(status)));
        }

        foreach (var entry in entries)
        {
            Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        }

        var before = await table.ReadAllAsync(Token);
        await table.CleanupDefunctSiloEntriesAsync(new DateTimeOffset(TableEntries.Now.AddDays(-7)), Token);

        var data = await table.ReadAllAsync(Token);
        Assert.Equal(before.Version.Version, data.Version.Version);
        Assert.Equal(
            entries.Where(entry => entry.Status != SiloStatus.Dead).Select(entry => entry.SiloAddress).ToHashSet(),
            data.Members.Select(member => member.Item1.SiloAddress).ToHashSet());
    }

    [Fact]
    public async Task CleanupDefunctSiloEntries_Bounds_AreExclusiveAndByLatestUpdate()
    {
        var table = await cluster.CreateInitializedTableAsync(_clusterId);
        var limit = TableEntries.Now.AddDays(-7);
        var atLimit = Dead(limit, limit);
        var justBefore = Dead(limit.AddTicks(-1), limit.AddDays(-1));
        var startedLater = Dead(limit.AddDays(1), limit.AddDays(-3));
        var aliveLater = Dead(limit.AddDays(-3), limit.AddDays(1));
        var suspectedLater = Dead(limit.AddDays(-3), limit.AddDays(-3));
        suspectedLater.SuspectTimes =
            [Tuple.Create(TableEntries.Address(), limit.AddDays(-5)), Tuple.Create(TableEntries.Address(), limit.AddHours(1))];
        var heartbeatLater = Dead(limit.AddDays(-3), limit.AddDays(-3));
        foreach (var entry in (MembershipEntry[])[atLimit, justBefore, startedLater, aliveLater, suspectedLater, heartbeatLater])
        {
            Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Token)).Version.Next(), Token));
        }

        await table.UpdateIAmAliveAsync(
            new MembershipEntry { SiloAddress = heartbeatLater.SiloAddress, IAmAliveTime = limit.AddHours(1) }, Token);

        await cluster.CreateTable(_clusterId).CleanupDefunctSiloEntriesAsync(new DateTimeOffset(limit), Token);

        var left = (await table.ReadAllAsync(Token)).Members.Select(member => member.Item1.SiloAddress).ToHashSet();
        Assert.DoesNotContain(justBefore.SiloAddress, left);
        Assert.Equal(5, left.Count);

        static MembershipEntry Dead(DateTime start, DateTime alive)
        {
            var entry = TableEntries.Entry(SiloStatus.Dead);
            (entry.StartTime, entry.IAmAliveTime) = (start, alive);
            return entry;
        }
    }

    [Fact]
    public async Task OldMethods_WithoutToken_Forward()
    {
        IMembershipTable table = cluster.CreateTable(_clusterId);
        var entry = TableEntries.Entry(SiloStatus.Active);
#pragma warning disable CS0618 // They are obsolete, and still part of the interface.
        await table.InitializeMembershipTable(true);
        Assert.True(await table.InsertRow(entry, (await table.ReadAll()).Version.Next()));
        await table.UpdateIAmAlive(entry);
        var row = await table.ReadRow(entry.SiloAddress);
        Assert.True(await table.UpdateRow(entry, row.Members[0].Item2, row.Version.Next()));
        await table.CleanupDefunctSiloEntries(DateTimeOffset.MinValue);
        await table.DeleteMembershipTableEntries(_clusterId);
#pragma warning restore CS0618
    }

    private static MembershipEntry Old(MembershipEntry entry)
    {
        entry.IAmAliveTime = entry.IAmAliveTime.AddDays(-10);
        entry.StartTime = entry.StartTime.AddDays(-10);
        return entry;
    }
}
