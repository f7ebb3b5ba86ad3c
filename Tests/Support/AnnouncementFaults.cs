using System.Globalization;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// What a test and the hook inside a silo process tell each other: what to do to announcements, and how often it was done.
/// </summary>
internal static class AnnouncementFaults
{
    /// <summary>File name of the hook's assembly, which lies beside the tests.</summary>
    public const string Assembly = "announcement-faults.dll";

    private const string DelayVariable = "TEST_ANNOUNCEMENT_DELAY";
    private const string LossVariable = "TEST_ANNOUNCEMENT_LOSS";
    private const string BeginVariable = "TEST_ANNOUNCEMENT_BEGIN";
    private const string LostMark = "The test lost an announcement to ";
    private const string DelayedMark = "The test delayed an announcement to ";

    /// <summary>By how much every announcement of this process is late.</summary>
    public static TimeSpan Delay => TimeSpan.Parse(Environment.GetEnvironmentVariable(DelayVariable)!, CultureInfo.InvariantCulture);

    /// <summary>The part of them that is lost after that.</summary>
    public static double Loss => double.Parse(Environment.GetEnvironmentVariable(LossVariable)!, CultureInfo.InvariantCulture);

    /// <summary>
    /// Whether it has begun. A mesh whose period is short takes a time that nobody can tell to find together while announcements are late.
    /// </summary>
    public static bool HasBegun => File.Exists(Environment.GetEnvironmentVariable(BeginVariable));

    /// <summary>The variables with which a silo is to be started.</summary>
    /// <param name="delay">By how much every announcement is late.</param>
    /// <param name="loss">The part of them that is lost after that.</param>
    /// <param name="begin">It begins when there is this file.</param>
    public static Dictionary<string, string?> Variables(TimeSpan delay, double loss, string begin) => new()
    {
        ["DOTNET_STARTUP_HOOKS"] = Path.Combine(AppContext.BaseDirectory, Assembly),
        [DelayVariable] = delay.ToString("c", CultureInfo.InvariantCulture),
        [BeginVariable] = begin,
        [LossVariable] = loss.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>The line that says what became of an announcement.</summary>
    public static string Describe(bool isLost, object receiver) => (isLost ? LostMark : DelayedMark) + receiver;

    /// <summary>How many announcements a silo has delayed only, and how many it has lost, by its log.</summary>
    public static (int Delayed, int Lost) Count(string logFile)
    {
        var lines = File.ReadAllLines(logFile);
        return (
            lines.Count(line => line.StartsWith(DelayedMark, StringComparison.Ordinal)),
            lines.Count(line => line.StartsWith(LostMark, StringComparison.Ordinal)));
    }
}
