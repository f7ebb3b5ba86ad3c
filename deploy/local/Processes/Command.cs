using System.ComponentModel;
using System.Diagnostics;

namespace Orleans.WireGuard.LocalMesh.Processes;

/// <summary>What a finished program left behind.</summary>
/// <param name="CommandLine">What was run, for messages.</param>
/// <param name="ExitCode">0 if it succeeded.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record CommandResult(string CommandLine, int ExitCode, string Output, string Error)
{
    /// <summary>Returns this result, or throws with what the program said.</summary>
    /// <exception cref="CommandException">The exit code is not 0.</exception>
    public CommandResult EnsureSuccess() => ExitCode == 0 ? this : throw new CommandException(this);
}

/// <summary>A program that had to succeed did not.</summary>
internal sealed class CommandException(CommandResult result) : Exception(
    $"'{result.CommandLine}' ended with exit code {result.ExitCode}: {(result.Error.Length > 0 ? result.Error : result.Output).Trim()}");

/// <summary>Runs a program to its end and collects what it printed.</summary>
internal static class Command
{
    /// <summary>Runs <paramref name="file"/>; when cancelled, the program is ended first.</summary>
    /// <param name="file">Program, found in PATH.</param>
    /// <param name="arguments">Passed as they are, without a shell.</param>
    /// <param name="input">Standard input; empty when <see langword="null"/>.</param>
    /// <param name="environment">Variables to add or, with <see langword="null"/>, to remove.</param>
    /// <param name="workingDirectory">Where it runs; where this program does when <see langword="null"/>.</param>
    /// <param name="cancellationToken">Ends the program.</param>
    /// <exception cref="FileNotFoundException">The program is not installed.</exception>
    public static async Task<CommandResult> RunAsync(
        string file,
        IEnumerable<string> arguments,
        CancellationToken cancellationToken,
        string? input = null,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        cancellationToken.ThrowIfCancellationRequested();
        using var process = Start(start);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
            process.StandardInput.Close();
            await process.WaitForExitAsync(cancellationToken);
            return new CommandResult(Describe(start), process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>Runs a program that shares this terminal, so that its own progress is seen.</summary>
    /// <returns>Its exit code.</returns>
    public static async Task<int> RunVisiblyAsync(
        string file,
        IEnumerable<string> arguments,
        TimeProvider timeProvider,
        CancellationToken cancellationToken,
        IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(file, arguments);
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        cancellationToken.ThrowIfCancellationRequested();
        using var process = Start(start);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            // A package manager gets the time to leave its database in order.
            if (OwnedProcess.Find(process.Id) is { } owned)
            {
                await OwnedProcess.EndAsync([owned], TimeSpan.FromSeconds(5), timeProvider, CancellationToken.None);
            }

            throw;
        }
    }

    /// <summary>The program's path, or <see langword="null"/> if it is not installed.</summary>
    public static string? Find(string file)
    {
        // A root shell without a login often lacks the administrators' directories, where ip and tcpdump live.
        var directories = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        return directories.Concat(["/usr/sbin", "/sbin"]).Select(d => Path.Combine(d, file)).FirstOrDefault(File.Exists);
    }

    private static Process Start(ProcessStartInfo start)
    {
        start.FileName = Find(start.FileName) ?? start.FileName;
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new FileNotFoundException($"Cannot start '{start.FileName}': {e.Message}. Is its package installed?", e);
        }
    }

    private static string Describe(ProcessStartInfo start) => string.Join(' ', [Path.GetFileName(start.FileName), .. start.ArgumentList]);
}
