using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>Finds the process that holds a TUN device, by what the kernel says of its files (proc(5), <c>/proc/pid/fdinfo</c>).</summary>
/// <remarks>
/// Nothing else names it: it daemonized itself, so it is no child of ours, and the peer of its socket is the process that began to listen
/// and is gone.
/// </remarks>
internal static class UserspaceProcess
{
    /// <summary>The process id, or <see langword="null"/> if no process that we may look into holds the device.</summary>
    /// <param name="name">Interface name.</param>
    /// <param name="networkNamespace">Path of the namespace, such as <c>/proc/self/ns/net</c>.</param>
    public static int? TryFind(string name, string networkNamespace)
    {
        var wanted = new FileInfo(networkNamespace).LinkTarget;
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var processId)
                && Holds(directory, name, wanted))
            {
                return processId;
            }
        }

        return null;
    }

    /// <summary>What the TUN device is called now whose process was started for a device of this name, if that is another name.</summary>
    /// <param name="name">The name that the process was started with.</param>
    /// <param name="networkNamespace">Path of the namespace, such as <c>/proc/self/ns/net</c>.</param>
    public static string? TryFindRenamedLink(string name, string networkNamespace)
    {
        var wanted = new FileInfo(networkNamespace).LinkTarget;
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (new FileInfo($"{directory}/ns/net").LinkTarget == wanted && IsStartedFor(directory, name)
                    && Links(directory).FirstOrDefault() is { Length: > 0 } link && link != name)
                {
                    return link;
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // As above: it is gone, or not ours to look into, and not a process at all if its name is no number.
            }
        }

        return null;
    }

    /// <summary>Kills the process that holds a device with SIGKILL, if there is one.</summary>
    /// <returns>Its process id, or <see langword="null"/>.</returns>
    public static int? TryKill(string name, string networkNamespace)
    {
        if (TryFind(name, networkNamespace) is not { } processId)
        {
            return null;
        }

        try
        {
            using var process = Process.GetProcessById(processId);
            process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // It ended by itself in between, which is what was wanted.
        }
        catch (Win32Exception e)
        {
            throw new LinuxException($"delete {name}", e.NativeErrorCode, $"process {processId} does not end and cannot be killed", e);
        }

        return processId;
    }

    /// <summary>
    /// Whether nothing is left of a process that holds anything: it is not there, or all its threads ended and only its parent has not
    /// asked yet how. The first thread alone does not count: the files, and with them the device, go with the last one.
    /// </summary>
    public static bool IsGone(int processId)
    {
        try
        {
            // proc_pid_stat(5): the state follows the name, which is in parentheses and may hold anything.
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            return stat[stat.LastIndexOf(')') + 2] is 'Z' or 'X'
                && Directory.EnumerateDirectories($"/proc/{processId}/task").Count() <= 1;
        }
        catch (IOException)
        {
            return true;
        }
    }

    // The TUN devices that a process holds by their present names; the name is empty once the link was deleted.
    private static IEnumerable<string> Links(string directory) => Directory.EnumerateFiles($"{directory}/fdinfo").SelectMany(LinksOfFile);

    private static IEnumerable<string> LinksOfFile(string file)
    {
        const string LinkLine = "iff:\t";
        try
        {
            return [.. File.ReadLines(file).Where(line => line.StartsWith(LinkLine, StringComparison.Ordinal))
                .Select(line => line[LinkLine.Length..])];
        }
        catch (IOException)
        {
            // It was closed in between, which a TUN device is not.
            return [];
        }
    }

    private static bool IsStartedFor(string directory, string name) =>
        File.ReadAllText($"{directory}/cmdline").TrimEnd('\0').Split('\0')[^1] == name;

    private static bool Holds(string directory, string name, string? networkNamespace)
    {
        try
        {
            if (new FileInfo($"{directory}/ns/net").LinkTarget != networkNamespace)
            {
                return false;
            }

            return Links(directory).Any(link => link == name || (link.Length == 0 && IsStartedFor(directory, name)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Processes and files come and go while we look, and some are not ours to look into.
            return false;
        }
    }
}
