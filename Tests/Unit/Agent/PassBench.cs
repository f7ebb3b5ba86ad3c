using System.Diagnostics;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>
/// What a pass costs when one node of many has announced another key: our part of it, since devices, links and firewall are in memory.
/// </summary>
[Trait("Kind", "Bench")]
public sealed class PassBench(ITestOutputHelper output)
{
    private const int Rounds = 15;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(250)]
    [InlineData(1_000)]
    [InlineData(5_000)]
    public async Task Run_OneNodeAnnouncedAnotherKey(int peers)
    {
        await using var mesh = new AgentHarness([.. Enumerable.Range(2, peers)]);
        mesh.MakeKey();
        mesh.Store.MarkSynced();
        for (var node = 2; node <= peers + 1; node++)
        {
            mesh.Announce(node);
        }

        await mesh.Pass.RunAsync(isResync: true, Token);
        var times = new List<double>();
        for (var round = 1; round <= Rounds; round++)
        {
            mesh.Announce(2, TestMesh.Key(100_000 + round), revision: round);
            var start = Stopwatch.GetTimestamp();
            await mesh.Pass.RunAsync(isResync: false, Token);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            Assert.Contains(mesh.Device.Peers, peer => peer.PublicKey == TestMesh.Key(100_000 + round));
        }

        times.Sort();
        output.WriteLine($"{peers} peers: median {times[Rounds / 2]:F1} ms, shortest {times[0]:F1} ms");
    }
}
