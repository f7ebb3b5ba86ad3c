using Orleans.WireGuard.Tests.EndToEnd;
using Orleans.WireGuard.Tests.Support;

[assembly: AssemblyFixture(typeof(PoolThreadsGuard))]

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// Fails a run in which any test left a thread of the pool in another network namespace: what came after it may have run there.
/// </summary>
public sealed class PoolThreadsGuard : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        var elsewhere = OperatingSystem.IsLinux() ? PoolThreads.FindNamespaces().Except([PoolThreads.OwnNamespace]).ToList() : [];
        if (elsewhere.Count > 0)
        {
            throw new InvalidOperationException(
                $"Threads of the pool are in {string.Join(", ", elsewhere)} instead of {PoolThreads.OwnNamespace}; see PoolThreads. Failures of this run may have no other cause.");
        }
    }
}
