using Orleans.WireGuard.Grains.Delivery;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Asks a few other silos for their clocks, as long as too few of them are known.</summary>
/// <remarks>
/// Before anything is announced by a clock that is wrong, or refused by it; and from then on, because a reading does not count for long and between two
/// rotations, when all are asked (<see cref="PathSurvey"/>), a day may pass. Safe to use from several threads.
/// </remarks>
internal sealed class ClockSurvey(MeshMembers members, IPeerServiceClient client, MeshClock clock, TimeProvider timeProvider)
{
    // Of so many the median is right as long as most clocks of the mesh are.
    private const int EnoughClocks = 8;

    private readonly Lock _lock = new();
    private Task? _first;
    private Task? _latest;

    /// <summary>Waits until somebody has been asked once. Who finds nobody there to be asked waits for nothing, and the next one asks. Never throws.</summary>
    /// <param name="timeout">How long to wait for each answer.</param>
    public Task AskFirst(TimeSpan timeout)
    {
        lock (_lock)
        {
            return Share(_first ?? Begin(timeout));
        }
    }

    /// <summary>Asks those that are missing; nobody as long as enough clocks are known. Never throws.</summary>
    /// <param name="timeout">How long to wait for each answer.</param>
    public Task Ask(TimeSpan timeout)
    {
        lock (_lock)
        {
            return Share(_latest is { IsCompleted: false } underWay ? underWay : Begin(timeout));
        }
    }

    // Of several that await one task all but the first go on later, from the thread pool, and a simulation with one thread would not be in order any more.
    private static Task Share(Task question) => question.IsCompleted
        ? question
        : question.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private Task Begin(TimeSpan timeout)
    {
        var missing = FindMissing();
        if (missing.Count == 0)
        {
            return Task.CompletedTask;
        }

        _latest = Task.WhenAll(missing.Select(other => Ask(other.Silo, other.NodeName, timeout)));
        _first ??= _latest;
        return _latest;
    }

    // Those that follow by name, so that silos that start together do not all ask the same ones.
    private IReadOnlyList<(SiloAddress Silo, string NodeName)> FindMissing()
    {
        var (others, fresh) = (members.Others, clock.FindFresh());
        var (known, unknown) = (others.Count(other => fresh.Contains(other.NodeName)), others.Where(other => !fresh.Contains(other.NodeName)).ToList());
        return
        [
            .. unknown.Where(other => string.CompareOrdinal(other.NodeName, members.LocalNodeName) > 0).Concat(unknown).Distinct()
                .Take(Math.Max(EnoughClocks - known, 0)),
        ];
    }

    private async Task Ask(SiloAddress silo, string nodeName, TimeSpan timeout)
    {
        var askedAt = SteadyTime.Now(timeProvider);
        try
        {
            var reply = await client.GetPath(silo, members.LocalNodeName).WaitAsync(timeout, timeProvider);
            _ = clock.Note(nodeName, reply.AnsweredAt, askedAt);
        }
        catch (Exception)
        {
            // Whatever it is, its clock is not known, and that is all that counts. The comparison of digests fails too, and says why.
        }
    }
}
