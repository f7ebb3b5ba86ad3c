using System.Diagnostics;
using System.Net;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Silo.Findings;
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

    // A prefix for each pod, in one range: of one node a pod has gone and another one has come.
    [Theory]
    [InlineData(120, 25)]
    [InlineData(120, 250)]
    public async Task Run_OnePrefixOfManyChanged(int peers, int podsOfEach)
    {
        await using var mesh = new AgentHarness([.. Enumerable.Range(2, peers)]);
        mesh.Encryption.CurrentValue.Mode = EncryptionMode.Strict;
        mesh.MakeKey();
        mesh.Store.MarkSynced();
        SetRoster(0);
        for (var node = 2; node <= peers + 1; node++)
        {
            mesh.Announce(TestMesh.Announce(node) with { AllowedIPs = Pods(node, 0) });
        }

        await mesh.Pass.RunAsync(isResync: true, Token);
        var times = new List<double>();
        for (var round = 1; round <= Rounds; round++)
        {
            SetRoster(round);
            mesh.Announce(TestMesh.Announce(2, revision: round) with { AllowedIPs = Pods(2, round) });
            var start = Stopwatch.GetTimestamp();
            await mesh.Pass.RunAsync(isResync: false, Token);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            Assert.Contains(mesh.Links.Routes, route => route.Destination == Pods(2, round)[^1] && route.DeviceName.Length > 0);
        }

        times.Sort();
        output.WriteLine($"{peers * podsOfEach} prefixes: median {times[Rounds / 2]:F1} ms, shortest {times[0]:F1} ms");

        void SetRoster(int round) => mesh.Roster.Set(NodeRoster.Of(Enumerable.Range(1, peers + 1)
            .Select(node => TestMesh.RosterNode(node) with { PodCIDRs = Pods(node, node == 2 ? round : 0) })) with
        {
            PodRanges = [IPPrefix.Parse("10.128.0.0/9")],
        });

        // Each node has 512 addresses, of which every round uses others at the end.
        EquatableArray<IPPrefix> Pods(int node, int round) => Enumerable.Range(0, podsOfEach)
            .Select(pod => (node * 512) + pod + (pod == podsOfEach - 1 ? round : 0))
            .Select(number => IPPrefix.Host(new IPAddress([10, (byte)(128 + (number >> 16)), (byte)(number >> 8), (byte)number])))
            .ToEquatableArray();
    }

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
