using System.Globalization;
using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.LocalMesh.Topology;

/// <summary>Finds and removes everything of one prefix, also what a crashed run of another node count left.</summary>
internal sealed class TopologyRemover(MeshPlan plan, MeshState state, TimeProvider timeProvider)
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);

    /// <summary>What exists of the prefix, one phrase each; empty on a clean machine.</summary>
    public async Task<IReadOnlyList<string>> FindAsync(CancellationToken cancellationToken)
    {
        var found = new List<string>();
        var namespaces = FindNamespaces();
        found.AddRange(namespaces.Select(n => "network namespace " + n));
        found.AddRange((await FindLinksAsync(cancellationToken)).Select(l => "link " + l));
        found.AddRange(FindMounts().Select(m => "mount " + m));
        found.AddRange((await FindProcessesAsync(namespaces, cancellationToken)).Select(p => $"process {p.Id}"));
        if (Directory.Exists(state.Directory))
        {
            found.Add("directory " + state.Directory);
        }

        return found;
    }

    /// <summary>Ends our processes, then removes mounts, namespaces, links and files: the reverse order of making.</summary>
    /// <exception cref="MeshFailedException">Something could not be removed; the message lists it.</exception>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        EnsureStateIsOurs();
        var namespaces = FindNamespaces();
        await EndProcessesAsync(namespaces, cancellationToken);

        // Innermost first: the namespaces are mounted below the directory that is a mount itself.
        foreach (var mount in FindMounts())
        {
            await Command.RunAsync("umount", ["--lazy", mount], cancellationToken);
        }

        // Deleting our end deletes the pair at once; the kernel would do it only some time after the namespace is gone.
        foreach (var link in (await FindLinksAsync(cancellationToken)).Where(l => l != plan.Bridge).Append(plan.Bridge))
        {
            await Command.RunAsync("ip", ["link", "delete", link], cancellationToken);
        }

        foreach (var name in namespaces)
        {
            await Command.RunAsync("ip", ["netns", "delete", name], cancellationToken);
        }

        RemoveSocketDirectory();
        if (Directory.Exists(state.Directory))
        {
            Directory.Delete(state.Directory, recursive: true);
        }

        var left = await FindAsync(cancellationToken);
        if (left.Count > 0)
        {
            throw new MeshFailedException($"Could not remove: {string.Join(", ", left)}.");
        }
    }

    // The directory can be chosen, and is removed with all that is in it: a slip must not cost anyone's files.
    private void EnsureStateIsOurs()
    {
        if (Directory.Exists(state.Directory) && !File.Exists(state.OwnerFile)
            && Directory.EnumerateFileSystemEntries(state.Directory).Any())
        {
            throw new MeshFailedException(
                $"{state.Directory} exists and was not made by a local mesh: expected an empty or missing directory; choose another {MeshState.DirectoryVariable}.");
        }
    }

    private async Task EndProcessesAsync(IReadOnlyList<string> namespaces, CancellationToken cancellationToken)
    {
        // A process of ours may start another one while it ends, so look again until there is none.
        for (var round = 0; round < 3; round++)
        {
            var processes = await FindProcessesAsync(namespaces, cancellationToken);
            if (processes.Count == 0)
            {
                return;
            }

            await OwnedProcess.EndAsync(processes, Grace, timeProvider, cancellationToken);
        }
    }

    private async Task<IReadOnlyList<OwnedProcess>> FindProcessesAsync(
        IReadOnlyList<string> namespaces, CancellationToken cancellationToken) =>
    [
        .. ProcessRecorder.ReadAlive(state.ProcessFile)
            .Concat(await FindNamespaceProcessesAsync(namespaces, cancellationToken))
            .Where(p => p.Id != Environment.ProcessId)
            .Distinct(),
    ];

    private static async Task<IReadOnlyList<OwnedProcess>> FindNamespaceProcessesAsync(
        IReadOnlyList<string> namespaces, CancellationToken cancellationToken)
    {
        var found = new List<OwnedProcess>();
        foreach (var name in namespaces)
        {
            var result = await Command.RunAsync("ip", ["netns", "pids", name], cancellationToken);
            foreach (var line in result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                if (OwnedProcess.Find(int.Parse(line, CultureInfo.InvariantCulture)) is { } process)
                {
                    found.Add(process);
                }
            }
        }

        return found;
    }

    private IReadOnlyList<string> FindNamespaces() => Directory.Exists(NetworkNamespace.HandleDirectory)
        ? [.. Directory.EnumerateFiles(NetworkNamespace.HandleDirectory).Select(f => Path.GetFileName(f)).Where(plan.OwnsNamespace).Order()]
        : [];

    private async Task<IReadOnlyList<string>> FindLinksAsync(CancellationToken cancellationToken)
    {
        var result = (await Command.RunAsync("ip", ["-brief", "link", "show"], cancellationToken)).EnsureSuccess();
        return [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ', '@')[0]).Where(plan.OwnsLink)];
    }

    private IReadOnlyList<string> FindMounts() =>
    [
        .. File.ReadLines("/proc/self/mounts")
            .Select(line => line.Split(' ')[1])
            .Where(m => m.StartsWith(state.Directory + "/", StringComparison.Ordinal))
            .OrderByDescending(m => m.Length),
    ];

    private void RemoveSocketDirectory()
    {
        // Removing the directory would take the sockets away from every other mesh, whose tmpfs is mounted on it.
        var othersUseIt = Directory.Exists(NetworkNamespace.HandleDirectory) && Directory.EnumerateFiles(NetworkNamespace.HandleDirectory)
            .Select(f => Path.GetFileName(f))
            .Any(n => MeshPlan.IsNodeNamespace(n) && !plan.OwnsNamespace(n));
        if (File.Exists(state.SocketDirectoryMark) && !othersUseIt && Directory.Exists(TopologyBuilder.SocketDirectory)
            && !Directory.EnumerateFileSystemEntries(TopologyBuilder.SocketDirectory).Any())
        {
            Directory.Delete(TopologyBuilder.SocketDirectory);
        }
    }
}
