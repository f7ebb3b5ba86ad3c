using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>Asks a few other silos for their clocks, as long as too few of them are known.</summary>
/// <remarks>
/// Before anything is announced by a clock that is wrong, or refused by it; and from then on, because a reading does not count for long and
/// between two rotations, when all are asked (<see cref="Rotation.PathSurvey"/>), a day may pass. Safe to use from several threads.
/// </remarks>
internal sealed class ClockSurvey(
    MeshMembers members, IPeerServiceClient client, MeshClock clock, MeshProtocol protocol, TimeProvider timeProvider)
{
    // Of so many the median is right as long as most clocks of the mesh are.
    private const int EnoughClocks = 8;

    private readonly Lock _lock = new();
    private int _asked;
    private Task? _first;
    private Task? _latest;

    /// <summary>
    /// Waits until somebody has been asked once. Who finds nobody there to be asked waits for nothing, and the next one asks. Never throws.
    /// </summary>
    /// <param name="attemptTimeout">How long others wait for this node; half of it is waited for each answer.</param>
    public Task AskFirstAsync(TimeSpan attemptTimeout)
    {
        lock (_lock)
        {
            return OwnTaskAsync(_first ?? BeginAsync(attemptTimeout));
        }
    }

    /// <summary>Asks those that are missing; nobody as long as enough clocks are known. Never throws.</summary>
    /// <param name="attemptTimeout">How long others wait for this node; half of it is waited for each answer.</param>
    public Task AskAsync(TimeSpan attemptTimeout)
    {
        lock (_lock)
        {
            return OwnTaskAsync(_latest is { IsCompleted: false } underWay ? underWay : BeginAsync(attemptTimeout));
        }
    }

    // A task for each caller: what waits for a shared one goes on from the thread pool, all but the first, and nobody could tell in which
    // order.
    private static Task OwnTaskAsync(Task question) => question.IsCompleted
        ? question
        : question.ContinueWith(
            static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    // Who announces something to this node waits for it meanwhile, and has begun earlier.
    private Task BeginAsync(TimeSpan attemptTimeout)
    {
        var missing = FindMissing();
        if (missing.Count == 0)
        {
            return Task.CompletedTask;
        }

        _latest = Task.WhenAll(missing.Select(other => AskAsync(other.Silo, other.NodeName, attemptTimeout / 2)));
        _first ??= _latest;
        return _latest;
    }

    // Those that follow by name first, so that silos that start together do not all ask the same ones, and each round goes on where the one
    // before ended, so that none that does not answer is in the way of another. A clock that cannot be right is no reason to stop asking.
    private List<(SiloAddress Silo, string NodeName)> FindMissing()
    {
        var (others, fresh) = (members.Others, clock.FindFresh());
        var known = others.Count(other => fresh.TryGetValue(other.NodeName, out var canBeRight) && canBeRight);
        var unknown = others.Where(other => !fresh.ContainsKey(other.NodeName))
            .OrderBy(other => string.CompareOrdinal(other.NodeName, members.LocalNodeName) <= 0).ToList();
        if (unknown.Count == 0 || known >= EnoughClocks)
        {
            return [];
        }

        var start = _asked % unknown.Count;
        List<(SiloAddress Silo, string NodeName)> missing = [.. unknown.Skip(start).Concat(unknown.Take(start)).Take(EnoughClocks - known)];
        _asked = start + missing.Count;
        return missing;
    }

    private async Task AskAsync(SiloAddress silo, string nodeName, TimeSpan timeout)
    {
        var askedAt = SteadyTime.Now(timeProvider);
        try
        {
            var reply = await client.GetPathAsync(silo, members.LocalNodeName).WaitAsync(timeout, timeProvider);
            protocol.Note(silo, nodeName, reply.Protocol);
            _ = clock.Note(nodeName, reply.AnsweredAt, askedAt);
        }
        catch (Exception)
        {
            // Whatever it is, its clock is not known, and that is all that counts. The comparison of digests fails too, and says why.
        }
    }
}
