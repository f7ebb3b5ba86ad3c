// Reads what the guest of the kernel test bed wrote to its serial console.
using System.Globalization;

namespace Orleans.WireGuard.Tests.EndToEnd.Kernel;

/// <summary>What one case did in the guest.</summary>
/// <param name="Passed">Whether it held.</param>
/// <param name="Duration">How long it took inside the emulation.</param>
/// <param name="Text">Why it did not hold; what it measured if it did.</param>
internal sealed record KernelResult(bool Passed, TimeSpan Duration, string Text);

/// <summary>The console of one boot.</summary>
/// <param name="SkipReason">What is missing on this machine, or <see langword="null"/> if the guest was booted.</param>
/// <param name="Results">By the name of the case.</param>
/// <param name="IsComplete">Whether the guest got to its end.</param>
/// <param name="Tail">The last lines, which say why a guest did not get to its end.</param>
internal sealed record KernelReport(string? SkipReason, IReadOnlyDictionary<string, KernelResult> Results, bool IsComplete, string Tail)
{
    private const int TailLines = 25;

    /// <summary>
    /// Reads the lines <c>CASE|name|PASS or FAIL|milliseconds|text</c>, <c>SKIP|why</c> and <c>DONE|</c> among all others.
    /// </summary>
    public static KernelReport Parse(string console)
    {
        string? skipReason = null;
        var isComplete = false;
        Dictionary<string, KernelResult> results = [];
        var lines = console.Split('\n', StringSplitOptions.TrimEntries);
        foreach (var fields in lines.Select(line => line.Split('|')))
        {
            switch (fields)
            {
                case ["SKIP", var why, ..]:
                    skipReason = why;
                    break;
                case ["DONE", ..]:
                    isComplete = true;
                    break;
                case ["CASE", var name, "PASS" or "FAIL", var milliseconds, var text]
                    when long.TryParse(milliseconds, NumberStyles.None, CultureInfo.InvariantCulture, out var duration):
                    results[name] = new KernelResult(fields[2] == "PASS", TimeSpan.FromMilliseconds(duration), text);
                    break;
            }
        }

        return new KernelReport(skipReason, results, isComplete, string.Join('\n', lines.TakeLast(TailLines)));
    }
}
