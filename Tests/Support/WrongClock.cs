using System.Globalization;
using System.Runtime.InteropServices;
using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Has a process see another wall clock than the machine's, and everything else as it is.</summary>
/// <remarks>
/// For clocks that are behind. The library of Debian's package faketime also answers for what waits, takes a time of the clock that nobody sets for one of
/// the wall clock now and then, and then a timer of a process whose clock is years behind fires years later.
/// </remarks>
internal static class WrongClock
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

    /// <summary>The compiler of Debian's package gcc.</summary>
    public static bool IsPossible => OperatingSystem.IsLinux() && File.Exists("/usr/bin/gcc") && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64;

    /// <summary>Compiles the library.</summary>
    /// <param name="directory">Where it is put.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Its path.</returns>
    public static async Task<string> Build(string directory, CancellationToken cancellationToken)
    {
        var (source, library) = (Path.Combine(directory, "wrong-clock.c"), Path.Combine(directory, "wrong-clock.so"));
        await File.WriteAllTextAsync(source, Source + "\n", cancellationToken);
        (await Command.RunAsync("gcc", ["-shared", "-fPIC", "-O2", "-o", library, source], cancellationToken)).EnsureSuccess();
        return library;
    }

    /// <summary>The environment of a process that sees such a clock.</summary>
    /// <param name="library">The library.</param>
    /// <param name="offset">What its clock is ahead; negative if it is behind.</param>
    public static IReadOnlyDictionary<string, string?> Environment(string library, TimeSpan offset) => new Dictionary<string, string?>
    {
        ["LD_PRELOAD"] = library,
        ["WRONG_CLOCK_SECONDS"] = ((long)offset.TotalSeconds).ToString(CultureInfo.InvariantCulture),
    };
}
