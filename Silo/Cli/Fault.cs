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
            Console.Error.WriteLine($"owg: {message}");
        }

        return exitCode;
    }
}
