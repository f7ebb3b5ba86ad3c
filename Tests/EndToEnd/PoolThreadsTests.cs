using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>A test that goes into a network namespace leaves no thread of the pool in it, for the next one to run on.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class PoolThreadsTests
{
    private const int Rounds = 20;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WorkGivenInsideANamespace_LeavesThePoolWhereItIs()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && NativeMethods.EffectiveUserId() == 0, "Network namespaces need Linux and root.");
        for (var round = 0; round < Rounds; round++)
        {
            using var space = await NamespaceThread.CreateAsync("pool", Token);

            // Each waits for all, so that they need threads at the same time, which the pool would make if it had none.
            await space.RunAsync(async () =>
            {
                var all = new CountdownEvent(Environment.ProcessorCount + 2);
                await Task.WhenAll(Enumerable.Range(0, all.InitialCount).Select(_ => Task.Run(
                    () =>
                    {
                        all.Signal();
                        all.Wait(Token);
                    },
                    Token)));
            });
        }

        Assert.Equal([PoolThreads.OwnNamespace], PoolThreads.FindNamespaces());
    }
}
