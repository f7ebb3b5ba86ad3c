using Orleans.Clustering.Redis;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>
/// A membership table outside of this process, and what this silo does if it forgets: it ends, and joins again. Silos that join are left in
/// peace (<see cref="JoiningSilos"/>).
/// </summary>
/// <remarks>
/// Orleans' own reads are judged as they pass, so it costs none; whoever hears of a change sooner reads a row. All silos
/// see the same and end within seconds of each other, and whoever starts makes the table anew in the one place there is, so they come back
/// as one cluster. The devices are adopted as they are, which makes that free (<see cref="TableMemory"/> has why a row is not written
/// again).
/// </remarks>
internal sealed partial class SharedMembershipTable(
    IMembershipTable inner, SiloGeneration generation, ILocalSiloDetails silo,
    SiloEnd end, TimeProvider timeProvider, ILogger<SharedMembershipTable> logger)
    : IMembershipTable
{
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RepairTimeout = TimeSpan.FromSeconds(5);

    // Orleans lets a silo try to reach the others for five minutes, and to write that it is active for as long again (MaxJoinAttemptTime).
    private static readonly TimeSpan JoinPatience = TimeSpan.FromMinutes(10);

    private readonly Lock _lock = new();
    private readonly TableMemory _memory = new((long)(LookAgainAfter.TotalSeconds * timeProvider.TimestampFrequency));
    private readonly JoiningSilos _joining = new((long)(JoinPatience.TotalSeconds * timeProvider.TimestampFrequency));
    private Task _lookingAgain = Task.CompletedTask;
    private volatile bool _hasForgotten;

    /// <summary>The rows as they are, unjudged: before this silo has an address.</summary>
    public async Task<IReadOnlyList<SiloAddress>> ReadSilosAsync(CancellationToken cancellationToken)
    {
        await inner.InitializeMembershipTableAsync(false, cancellationToken);
        var table = await inner.ReadAllAsync(cancellationToken);
        return [.. table.Members.Select(member => member.Item1.SiloAddress)];
    }

    /// <summary>Looks for the own row now. Does not throw if the table cannot be read.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            _ = await ReadRowAsync(silo.SiloAddress, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogUnread(logger, e.Message);
        }
    }

    /// <inheritdoc/>
    public Task InitializeMembershipTableAsync(bool tryInitTableVersion, CancellationToken cancellationToken = default) =>
        inner.InitializeMembershipTableAsync(tryInitTableVersion, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteMembershipTableEntriesAsync(string clusterId, CancellationToken cancellationToken = default) =>
        inner.DeleteMembershipTableEntriesAsync(clusterId, cancellationToken);

    /// <inheritdoc/>
    public Task CleanupDefunctSiloEntriesAsync(DateTimeOffset beforeDate, CancellationToken cancellationToken = default) =>
        inner.CleanupDefunctSiloEntriesAsync(beforeDate, cancellationToken);

    /// <inheritdoc/>
    public Task<MembershipTableData> ReadRowAsync(SiloAddress key, CancellationToken cancellationToken = default) =>
        ReadAsync(token => inner.ReadRowAsync(key, token), key.Equals(OwnAddress), cancellationToken);

    /// <inheritdoc/>
    public async Task<MembershipTableData> ReadAllAsync(CancellationToken cancellationToken = default)
    {
        var table = await ReadAsync(inner.ReadAllAsync, true, cancellationToken);
        ThrowIfSuperseded(table);
        lock (_lock)
        {
            _joining.Spare(table.Members.Select(member => member.Item1), OwnAddress, timeProvider.GetTimestamp());
        }

        return table;
    }

    /// <inheritdoc/>
    public Task<bool> InsertRowAsync(MembershipEntry entry, TableVersion tableVersion, CancellationToken cancellationToken = default) =>
        WriteAsync(entry, tableVersion, token => inner.InsertRowAsync(entry, tableVersion, token), cancellationToken);

    /// <inheritdoc/>
    public Task<bool> UpdateRowAsync(
        MembershipEntry entry, string etag, TableVersion tableVersion, CancellationToken cancellationToken = default) =>
        WriteAsync(entry, tableVersion, token => inner.UpdateRowAsync(entry, etag, tableVersion, token), cancellationToken);

    /// <inheritdoc/>
    public Task UpdateIAmAliveAsync(MembershipEntry entry, CancellationToken cancellationToken = default) =>
        _hasForgotten ? Task.CompletedTask : inner.UpdateIAmAliveAsync(entry, cancellationToken);

    // What Orleans called before its methods had a token.
    Task IMembershipTable.InitializeMembershipTable(bool tryInitTableVersion) => InitializeMembershipTableAsync(tryInitTableVersion);

    Task IMembershipTable.DeleteMembershipTableEntries(string clusterId) => DeleteMembershipTableEntriesAsync(clusterId);

    Task IMembershipTable.CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => CleanupDefunctSiloEntriesAsync(beforeDate);

    Task<MembershipTableData> IMembershipTable.ReadRow(SiloAddress key) => ReadRowAsync(key);

    Task<MembershipTableData> IMembershipTable.ReadAll() => ReadAllAsync();

    Task<bool> IMembershipTable.InsertRow(MembershipEntry entry, TableVersion tableVersion) => InsertRowAsync(entry, tableVersion);

    Task<bool> IMembershipTable.UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) =>
        UpdateRowAsync(entry, etag, tableVersion);

    Task IMembershipTable.UpdateIAmAlive(MembershipEntry entry) => UpdateIAmAliveAsync(entry);

    // Reading it decides it, and before that nothing is written that could be forgotten.
    private SiloAddress? OwnAddress => generation.IsSettled ? silo.SiloAddress : null;

    private static bool IsGone(Exception failure) =>
        failure is RedisClusteringException or KubernetesApiException { Failure: ApiFailure.NotFound };

    private async Task<MembershipTableData> ReadAsync(
        Func<CancellationToken, Task<MembershipTableData>> read, bool isAboutOwn, CancellationToken cancellationToken)
    {
        var began = timeProvider.GetTimestamp();
        try
        {
            var table = await read(cancellationToken);
            if (isAboutOwn && OwnAddress is { } own)
            {
                Note(memory => memory.OnRead(table.Version.Version, table.TryGet(own) is not null, began, timeProvider.GetTimestamp()));
            }

            return table;
        }
        catch (Exception e) when (IsGone(e))
        {
            Note(memory => memory.OnGone(began, timeProvider.GetTimestamp()));
            throw;
        }
    }

    private async Task<bool> WriteAsync(
        MembershipEntry entry, TableVersion version, Func<CancellationToken, Task<bool>> write, CancellationToken cancellationToken)
    {
        var isOwn = entry.SiloAddress.Equals(OwnAddress);
        if (isOwn && _hasForgotten)
        {
            // The table that this silo was in is no more, and the new one has nothing to do with it.
            return true;
        }

        lock (_lock)
        {
            _joining.Restore(entry);
        }

        var isWritten = await write(cancellationToken);
        if (isWritten && isOwn)
        {
            lock (_lock)
            {
                _memory.OnWritten(entry.Status, version.Version, timeProvider.GetTimestamp());
            }
        }

        return isWritten;
    }

    private void Note(Func<TableMemory, TableVerdict> judge)
    {
        lock (_lock)
        {
            var verdict = judge(_memory);
            if (verdict == TableVerdict.Forgotten && !_hasForgotten)
            {
                _hasForgotten = true;
                _ = Task.Run(EndAsync);
            }
            else if (verdict == TableVerdict.Suspect && _lookingAgain.IsCompleted)
            {
                LogSuspect(logger, _memory.Problem, LookAgainAfter);
                _lookingAgain = Task.Run(LookAgainAsync);
            }
        }
    }

    private async Task LookAgainAsync()
    {
        try
        {
            await Task.Delay(LookAgainAfter, timeProvider, end.Stopping);
            await LookAsync(end.Stopping);
        }
        catch (OperationCanceledException) when (end.Stopping.IsCancellationRequested)
        {
            // It ends anyway.
        }
    }

    private async Task EndAsync()
    {
        try
        {
            // Orleans reads the table once more while it stops, and would try for as long as it may take if there were none.
            using var timeout = new CancellationTokenSource(RepairTimeout, timeProvider);
            await inner.InitializeMembershipTableAsync(true, timeout.Token);
        }
        catch (Exception e)
        {
            LogUnread(logger, e.Message);
        }

        end.Because(
            $"The membership table {_memory.Problem}, by two answers: it has forgotten what this silo wrote, and the silo joins it anew.");
    }

    /// <summary>
    /// A former silo of this address has a later generation: its clock was ahead, and the table could not be read when this one chose its
    /// own. Orleans would say that it has been told it is dead.
    /// </summary>
    private void ThrowIfSuperseded(MembershipTableData table)
    {
        if (OwnAddress is not { } own
            || table.TryGet(own) is not null
            || SiloGeneration.FindSuccessor(own, table.Members.Select(member => member.Item1.SiloAddress)) is not { } later)
        {
            return;
        }

        var behind = TimeSpan.FromSeconds((long)later - own.Generation);
        var reason = $"The clock of this node says {timeProvider.GetUtcNow():u}, {behind} before its former silo started by its own; set the clock. The silo is started again and takes the generation above that one.";
        end.Because(reason);
        throw new InvalidOperationException(reason);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The membership table {Problem}; looking again in {Pause}")]
    private static partial void LogSuspect(ILogger logger, string problem, TimeSpan pause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not look into the membership table: {Problem}")]
    private static partial void LogUnread(ILogger logger, string problem);
}
