using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Linux;

/// <summary>Runs a short-lived command of the system and returns what it said.</summary>
/// <param name="timeProvider">Clock of the limits below.</param>
public sealed class SystemCommand(TimeProvider timeProvider)
{
    /// <summary>How long a command may run: a command of ours takes milliseconds, so a longer one hangs.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    /// <summary>Characters that are read of either stream: the routes of a mesh of 1,000 nodes fit a hundred times.</summary>
    public const int MaxOutput = 16 * 1024 * 1024;

    // A command that leaves a process behind may leave its streams open too. Once it exited, what it wrote is in the pipe.
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(1);

    /// <summary>What a command said.</summary>
    /// <param name="ExitCode">0 for success.</param>
    /// <param name="Output">Its standard output.</param>
    /// <param name="Error">Its standard error.</param>
    public sealed record Result(int ExitCode, string Output, string Error)
    {
        /// <summary>The last line of <see cref="Error"/> that says something, or the exit code if there is none.</summary>
        public string LastErrorLine => LinesOf(Error).LastOrDefault() ?? $"exit code {ExitCode} without a message";

        /// <summary>The lines of a text that say something.</summary>
        public static IEnumerable<string> LinesOf(string text) =>
            text.Split('\n', StringSplitOptions.TrimEntries).Where(line => line.Any(char.IsLetterOrDigit));
    }

    /// <summary>The path of a command: itself if it has a slash, else where it lies on the PATH.</summary>
    /// <returns><see langword="null"/> if there is none.</returns>
    public static string? Find(string command) => command.Contains('/')
        ? File.Exists(command) ? command : null
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Join(folder, command)).FirstOrDefault(File.Exists);

    /// <summary>Runs a command to its end. Its standard input is empty.</summary>
    /// <param name="operation">What it is for, such as <c>create cilium_wg0</c>.</param>
    /// <param name="command">The executable and its arguments; nothing is expanded by a shell.</param>
    /// <param name="environment">Variables to set, or to remove where the value is <see langword="null"/>.</param>
    /// <param name="cancellationToken">Ends the command.</param>
    /// <exception cref="LinuxException">It could not be started, or did not end in time. A nonzero exit code is no exception.</exception>
    public async Task<Result> RunAsync(
        string operation,
        IReadOnlyList<string> command,
        IReadOnlyDictionary<string, string?> environment,
        CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Start(operation, start);
        process.StandardInput.Close();
        using var drain = new CancellationTokenSource(System.Threading.Timeout.InfiniteTimeSpan, timeProvider);
        var output = ReadAsync(process.StandardOutput, drain.Token);
        var error = ReadAsync(process.StandardError, drain.Token);
        using var limit = new TimeLimit(Timeout, timeProvider, cancellationToken);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException e)
        {
            process.Kill();
            await drain.CancelAsync();
            await Task.WhenAll(output, error);
            cancellationToken.ThrowIfCancellationRequested();
            throw new LinuxException(
                operation, ETIMEDOUT, $"'{string.Join(' ', command)}' did not end within {Timeout.TotalSeconds} s and was ended", e);
        }

        drain.CancelAfter(DrainTimeout);
        return new Result(process.ExitCode, await output, await error);
    }

    private static Process Start(string operation, ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start) ?? throw new UnreachableException("A process that is not started by a shell is always new.");
        }
        catch (Win32Exception e) when (e.NativeErrorCode == ENOENT)
        {
            throw new LinuxException(operation, ENOENT, $"the command '{start.FileName}' was not found; install it or put it on PATH", e);
        }
        catch (Win32Exception e)
        {
            throw new LinuxException(operation, e.NativeErrorCode, $"the command '{start.FileName}' could not be started: {e.Message}", e);
        }
    }

    private static async Task<string> ReadAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        var chunk = new char[4096];
        try
        {
            // What is above the limit is read and dropped, so that the command does not block on a full pipe.
            int length;
            while ((length = await reader.ReadAsync(chunk, cancellationToken)) > 0)
            {
                text.Append(chunk, 0, Math.Min(length, MaxOutput - text.Length));
            }
        }
        catch (OperationCanceledException)
        {
            // The command is over and somebody else holds its stream: what came until now is what it said.
        }

        return text.ToString();
    }
}
