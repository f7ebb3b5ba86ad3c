using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.LocalMesh.Topology;

/// <summary>Held while a mesh of one prefix exists, so that two runs never share names; the kernel releases it on a crash.</summary>
internal sealed class MeshLock : IDisposable
{
    private readonly FileStream _file;

    private MeshLock(FileStream file) => _file = file;

    /// <summary>Takes the lock, or says who has it.</summary>
    /// <exception cref="MeshInUseException">Another process has it.</exception>
    public static MeshLock Acquire(MeshPlan plan, MeshState state)
    {
        try
        {
            // FileShare.None is flock(2) on Linux. The file stays afterwards: removing it would let a third run lock a new one.
            return new MeshLock(new FileStream(MeshState.LockFile(plan), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e)
        {
            throw new MeshInUseException(plan, ReadOwner(state), e);
        }
    }

    /// <summary>The process that made the state, if it still runs.</summary>
    public static OwnedProcess? ReadOwner(MeshState state) =>
        File.Exists(state.OwnerFile) && OwnedProcess.Parse(File.ReadAllText(state.OwnerFile)) is { IsAlive: true } owner ? owner : null;

    /// <summary>Notes this process as the owner of the state.</summary>
    public static void WriteOwner(MeshState state) =>
        File.WriteAllText(state.OwnerFile, OwnedProcess.Find(Environment.ProcessId)!.ToString());

    /// <summary>Releases the lock.</summary>
    public void Dispose() => _file.Dispose();
}

/// <summary>A mesh with the same names is running already.</summary>
internal sealed class MeshInUseException(MeshPlan plan, OwnedProcess? owner, Exception inner) : Exception(
    $"A local mesh named '{plan.Prefix}' is already running{(owner is null ? "" : $" (process {owner.Id})")}: "
    + "expected to be the only one; end it with Ctrl-C in its terminal or with 'make demo-down'.",
    inner)
{
    /// <summary>The process that runs it, if it could be found out.</summary>
    public OwnedProcess? Owner { get; } = owner;
}
