using System.Globalization;

namespace Orleans.WireGuard.LocalMesh.Processes;

/// <summary>Runs what is measured ahead of everything else on the machine, <c>sched(7)</c>.</summary>
/// <remarks>
/// Debian's wireguard-go receives through a buffer of 200 KiB. Kept off the processor for 140 ms by a compiler, say, it loses packets, and
/// the meter would blame the tunnel. WireGuard in the kernel does the same work in interrupts, where no process is ahead of it.
/// </remarks>
internal static class RealTimePriority
{
    // The lowest of these is ahead of every ordinary process.
    private const int Priority = 1;

    private const int CallingThread = 0;

    /// <summary>Takes it for the calling thread.</summary>
    /// <returns>Whether the system allowed it.</returns>
    public static bool Take() => Set(CallingThread);

    /// <summary>Gives it to every thread of a process; threads that it starts later inherit it.</summary>
    /// <returns>Whether the system allowed it for all of them.</returns>
    public static bool Give(int processId) =>
        Directory.GetDirectories(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/task"))
            .Select(task => int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture))
            .ToList()
            .TrueForAll(Set);

    private static bool Set(int thread) => NativeMethods.SetScheduler(thread, NativeMethods.SCHED_RR, Priority) == 0;
}
