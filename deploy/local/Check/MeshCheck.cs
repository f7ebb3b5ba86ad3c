using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>All proofs of a local mesh, unattended: a control run, a run with rotations, a run with a crash.</summary>
/// <param name="options">What to run on.</param>
/// <param name="timeProvider">The clock.</param>
/// <param name="report">Gets progress, a sentence at a time.</param>
/// <param name="prove">Gets each proof as soon as it is decided.</param>
internal sealed class MeshCheck(CheckOptions options, TimeProvider timeProvider, Action<string> report, Action<Proof> prove)
{
    private readonly List<Proof> _proofs = [];

    /// <summary>Runs everything and removes everything.</summary>
    /// <returns>Whether every proof passed.</returns>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        // Evidence of an earlier run would be taken for that of this one.
        if (Directory.Exists(options.EvidenceDirectory))
        {
            Directory.Delete(options.EvidenceDirectory, recursive: true);
        }

        var since = timeProvider.GetUtcNow();
        await RunPhaseAsync("with rotations", since, RunRotatingAsync, cancellationToken);
        await RunPhaseAsync("without rotations", since, RunQuietAsync, cancellationToken);
        await ProveNothingLeftAsync(cancellationToken);
        return _proofs.TrueForAll(p => p.Passed);
    }

    private async Task RunPhaseAsync(
        string name, DateTimeOffset since, Func<MeshHarness, DateTimeOffset, CancellationToken, Task> run,
        CancellationToken cancellationToken)
    {
        report($"Making a mesh of {options.Plan.Nodes.Count} nodes, {name}");
        await using var mesh = await MeshHarness.CreateAsync(options.Plan, options.State, timeProvider, report, cancellationToken);
        var before = _proofs.Count;
        try
        {
            await run(mesh, since, cancellationToken);
        }
        catch (MeshFailedException e)
        {
            Add(new Proof($"the mesh starts {name}", false, e.Message));
        }

        if (_proofs.Skip(before).Any(p => !p.Passed))
        {
            KeepEvidence(name);
        }

        report("Removing the mesh");
    }

    private async Task RunRotatingAsync(MeshHarness mesh, DateTimeOffset since, CancellationToken cancellationToken)
    {
        report("Control run: pods talk over the underlay without tunnels");
        Add(await new ControlRun(mesh, timeProvider).RunAsync(cancellationToken));
        await foreach (var proof in new RotationRun(mesh, options, since, timeProvider, report).RunAsync(cancellationToken))
        {
            Add(proof);
        }
    }

    private async Task RunQuietAsync(MeshHarness mesh, DateTimeOffset since, CancellationToken cancellationToken)
    {
        await foreach (var proof in new CrashRun(mesh, options, since, timeProvider, report).RunAsync(cancellationToken))
        {
            Add(proof);
        }
    }

    private async Task ProveNothingLeftAsync(CancellationToken cancellationToken)
    {
        var left = await new TopologyRemover(options.Plan, options.State, timeProvider).FindAsync(cancellationToken);
        Add(new Proof(
            "nothing is left: no namespace, link, mount, process, socket or file",
            left.Count == 0,
            left.Count == 0 ? "nothing found" : string.Join(", ", left)));
    }

    private void Add(Proof proof)
    {
        _proofs.Add(proof);
        prove(proof);
    }

    // Before the mesh is removed: a failure on another machine has to be explained by what was written there.
    private void KeepEvidence(string name)
    {
        if (options.EvidenceDirectory is not { } directory)
        {
            return;
        }

        var target = Path.Combine(directory, name.Replace(' ', '-'));
        Directory.CreateDirectory(target);
        foreach (var file in Directory.EnumerateFiles(options.State.Directory, "*", SearchOption.AllDirectories)
            .Where(f => Path.GetExtension(f) is ".log" or ".json" or ".pcap"))
        {
            File.Copy(file, Path.Combine(target, Path.GetRelativePath(options.State.Directory, file).Replace('/', '-')), overwrite: true);
        }

        report($"Logs and captures were kept in {target}");
    }
}
