using System.Diagnostics;

namespace Orleans.WireGuard.LocalMesh.Processes;

/// <summary>Starts long-running processes and notes their ids in a file, so that a later start can end them after a crash.</summary>
internal sealed class ProcessRecorder(string file)
{
    // In a session of its own a process does not get the terminal's Ctrl-C: the harness alone decides the order of ending.
    // The shell replaces itself (exec), so the id stays that of the program; a file as output outlives the harness.
    private const string Redirect = "exec \"$@\" >>\"$OWG_LOG\" 2>&1 </dev/null";

    private readonly Lock _lock = new();

    /// <summary>Starts a program in the background.</summary>
    /// <param name="command">Program and arguments.</param>
    /// <param name="logFile">Gets standard output and error.</param>
    /// <param name="environment">Variables to add or, with <see langword="null"/>, to remove.</param>
    public OwnedProcess Start(IEnumerable<string> command, string logFile, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo("setsid", ["sh", "-c", Redirect, "sh", .. command]) { WorkingDirectory = "/" };
        start.Environment["OWG_LOG"] = logFile;
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var owned = OwnedProcess.Find(process.Id)
            ?? throw new InvalidOperationException($"'{string.Join(' ', command)}' ended at once; its output is in {logFile}.");
        lock (_lock)
        {
            File.AppendAllLines(file, [owned.ToString()]);
        }

        return owned;
    }

    /// <summary>All processes ever recorded that still run.</summary>
    public static IReadOnlyList<OwnedProcess> ReadAlive(string file) => File.Exists(file)
        ? [.. File.ReadAllLines(file).Select(OwnedProcess.Parse).OfType<OwnedProcess>().Where(p => p.IsAlive)]
        : [];
}
