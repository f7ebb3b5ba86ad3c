using System.Globalization;

namespace Orleans.WireGuard.LocalMesh.Processes;

/// <summary>A process that we started, named so that another one which later gets the same id is never mistaken for it.</summary>
/// <param name="Id">Process id.</param>
/// <param name="StartTime">Clock ticks after boot, field 22 of <c>/proc/ID/stat</c>.</param>
internal sealed record OwnedProcess(int Id, ulong StartTime)
{
    /// <summary>Whether it still runs; a zombie does not.</summary>
    public bool IsAlive => TryReadStat(Id, out var state, out var startTime) && startTime == StartTime && state is not ('Z' or 'X');

    /// <summary>The process with this id now, or <see langword="null"/> if there is none.</summary>
    public static OwnedProcess? Find(int id) => TryReadStat(id, out _, out var startTime) ? new(id, startTime) : null;

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static OwnedProcess? Parse(string line)
    {
        var parts = line.Split(' ', 3);
        return parts.Length >= 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            && ulong.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var startTime)
                ? new OwnedProcess(id, startTime)
                : null;
    }

    /// <summary>Sends a signal, unless the process is gone.</summary>
    public void Signal(int signal)
    {
        if (IsAlive)
        {
            // ESRCH: it ended between the look and the signal, which is what most signals here are for.
            _ = NativeMethods.Kill(Id, signal);
        }
    }

    /// <summary>Waits until it is gone.</summary>
    /// <returns>Whether it went within <paramref name="timeout"/>.</returns>
    public async Task<bool> WaitForExitAsync(TimeSpan timeout, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        while (IsAlive)
        {
            if (timeProvider.GetElapsedTime(start) > timeout)
            {
                return false;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), timeProvider, cancellationToken);
        }

        return true;
    }

    /// <summary>Asks all to end, and ends by force those that have not after <paramref name="grace"/>.</summary>
    /// <returns>Those that survived even that.</returns>
    public static async Task<IReadOnlyList<OwnedProcess>> EndAsync(
        IReadOnlyCollection<OwnedProcess> processes, TimeSpan grace, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        foreach (var process in processes)
        {
            process.Signal(NativeMethods.SIGTERM);
        }

        await Task.WhenAll(processes.Select(p => p.WaitForExitAsync(grace, timeProvider, cancellationToken)));
        foreach (var process in processes)
        {
            process.Signal(NativeMethods.SIGKILL);
        }

        await Task.WhenAll(processes.Select(p => p.WaitForExitAsync(TimeSpan.FromSeconds(2), timeProvider, cancellationToken)));
        return [.. processes.Where(p => p.IsAlive)];
    }

    /// <summary>Id and start time, separated by a space.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Id} {StartTime}");

    private static bool TryReadStat(int id, out char state, out ulong startTime)
    {
        state = default;
        startTime = 0;
        string stat;
        try
        {
            stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
        }
        catch (IOException)
        {
            // The process is gone.
            return false;
        }

        // The name in parentheses may hold spaces and parentheses itself: fields are counted from its end.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        state = fields[0][0];
        return ulong.TryParse(fields[19], NumberStyles.None, CultureInfo.InvariantCulture, out startTime);
    }
}
