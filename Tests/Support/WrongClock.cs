using System.Globalization;
using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// A library that has a process see another wall clock than the machine's, and nothing else. Compiled by the test that uses it.
/// </summary>
/// <remarks>
/// The one of Debian's package faketime changes waiting too, whatever it is told: with it, timers of a silo whose clock says 1970 were seen
/// never to fire.
/// </remarks>
internal sealed class WrongClock : IDisposable
{
    private const string Source =
        """
        #define _GNU_SOURCE
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static long long offset(void)
        {
            static long long value;
            static int known;
            if (!known) {
                const char *text = getenv("WRONG_CLOCK_SECONDS");
                value = text ? atoll(text) : 0;
                known = 1;
            }
            return value;
        }

        int clock_gettime(clockid_t id, struct timespec *out)
        {
            int result = syscall(SYS_clock_gettime, id, out);
            if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
                out->tv_sec += offset();
            return result;
        }

        int gettimeofday(struct timeval *out, void *zone)
        {
            int result = syscall(SYS_gettimeofday, out, zone);
            if (result == 0 && out)
                out->tv_sec += offset();
            return result;
        }

        time_t time(time_t *out)
        {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (out)
                *out = now.tv_sec;
            return now.tv_sec;
        }
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("owg-clock-");

    private WrongClock()
    {
    }

    private string Library => Path.Combine(_directory.FullName, "wrong-clock.so");

    /// <summary>Skips the test where there is no compiler.</summary>
    public static void SkipUnlessPossible() =>
        Assert.SkipUnless(File.Exists("/usr/bin/gcc") && File.Exists("/usr/include/stdlib.h"), "Missing Debian packages: gcc, libc6-dev.");

    /// <summary>Compiles the library.</summary>
    public static async Task<WrongClock> BuildAsync(CancellationToken cancellationToken)
    {
        var clock = new WrongClock();
        (await Command.RunAsync("gcc", ["-shared", "-fPIC", "-O2", "-o", clock.Library, "-x", "c", "-"], cancellationToken, Source + "\n"))
            .EnsureSuccess();
        return clock;
    }

    /// <summary>The environment of a process that sees such a clock.</summary>
    /// <param name="offset">What its clock is ahead, in whole seconds; negative if it is behind.</param>
    public Dictionary<string, string?> Environment(TimeSpan offset) => new()
    {
        ["LD_PRELOAD"] = Library,
        ["WRONG_CLOCK_SECONDS"] = ((long)offset.TotalSeconds).ToString(CultureInfo.InvariantCulture),
    };

    /// <inheritdoc/>
    public void Dispose() => _directory.Delete(recursive: true);
}
