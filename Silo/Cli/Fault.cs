namespace Orleans.WireGuard.Silo.Cli;

/// <summary>What a verb says when it ends with anything but success.</summary>
internal static class Fault
{
    /// <summary>Says what is wrong, each on a line of standard error.</summary>
    /// <param name="exitCode">What the process is to end with; see <see cref="ExitCode"/>.</param>
    /// <param name="messages">What was expected, what came, what to do.</param>
    /// <returns>The exit code.</returns>
    public static int Tell(int exitCode, params IEnumerable<string> messages)
    {
        foreach (var message in messages)
        {
            Terminal.Error.Line($"owg: {message.ReplaceLineEndings(" ")}");
        }

        return exitCode;
    }

    /// <summary>Says in a sentence what nobody before has caught: never a stack trace, which tells an operator nothing.</summary>
    /// <returns>The exit code.</returns>
    public static int Tell(Exception exception) => exception switch
    {
        // Files, folders, pipes and what the machine refuses.
        IOException or UnauthorizedAccessException or InvalidDataException => Tell(ExitCode.Misconfigured, exception.Message),
        _ => Tell(
            ExitCode.Failed,
            $"This should not happen, please report it with the command line: {exception.GetType().Name} in {Place(exception)}: {exception.Message}"),
    };

    private static string Place(Exception exception) =>
        exception.TargetSite is { } method ? $"{method.DeclaringType?.Name}.{method.Name}" : "an unknown place";
}
