using System.Globalization;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>What a process uses, by proc(5).</summary>
/// <param name="ResidentMiB">Resident memory (VmRSS) in MiB.</param>
/// <param name="ProcessorTime">User and system time since it started.</param>
internal sealed record ProcessUsage(double ResidentMiB, TimeSpan ProcessorTime)
{
    // sysconf(_SC_CLK_TCK) is 100 on every Linux that .NET runs on.
    private const double TicksPerSecond = 100;
    private const int UserTimeField = 11;

    /// <summary>Reads what a running process uses at this moment.</summary>
    public static ProcessUsage Read(int processId)
    {
        var resident = File.ReadLines($"/proc/{processId}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        var kibibytes = double.Parse(
            resident["VmRSS:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture);
        var stat = File.ReadAllText($"/proc/{processId}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var ticks = fields.Skip(UserTimeField).Take(2).Sum(field => double.Parse(field, CultureInfo.InvariantCulture));
        return new ProcessUsage(kibibytes / 1024, TimeSpan.FromSeconds(ticks / TicksPerSecond));
    }
}
