using System.Diagnostics;
using System.Globalization;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Cluster;

/// <summary>What a node has for its pods gets to every other device, whatever becomes of keys meanwhile.</summary>
public sealed class AddressPropagationTests(ITestOutputHelper output)
{
    private readonly Dictionary<string, FakeOwnPrefixSource> _sources = Enumerable.Range(0, 4)
        .ToDictionary(node => $"node-{node}", _ => new FakeOwnPrefixSource());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Prefix_AddedAndRemoved_IsOnEveryDeviceAndGoesAfterIt()
    {
        await using var mesh = await StartAsync(3);
        _sources["node-1"].Set("10.0.1.7/32", "10.0.1.9/32");
        await UntilHeldAsync(mesh, "node-1", "10.0.1.7/32 10.0.1.9/32");

        _sources["node-1"].Set("10.0.1.9/32");
        await UntilHeldAsync(mesh, "node-1", "10.0.1.9/32");

        // The others have it on their devices before their receipts are back.
        var status = await mesh.Node("node-1").GetStatus(Token);
        await MeshCluster.EventuallyAsync(
            async () => (status = await mesh.Node("node-1").GetStatus(Token)).Addresses!.BehindCount == 0, "all receipts to be back");
        Assert.Equal(("Kernel", 1, 0, 0), (
            status.Addresses!.Source, status.Addresses.PrefixCount, status.Addresses.BehindCount, status.Addresses.HeldBackCount));
    }

    // A stale address of one node must cost nobody else anything, and above all no key.
    [Fact]
    public async Task Prefix_ClaimedByTwo_IsHeldBackAloneAndKeysGoOn()
    {
        await using var mesh = await StartAsync(3);
        _sources["node-1"].Set("10.0.1.7/32");
        await UntilHeldAsync(mesh, "node-1", "10.0.1.7/32");
        _sources["node-2"].Set("10.0.1.7/32", "10.0.2.8/32");
        await UntilHeldAsync(mesh, "node-2", "10.0.2.8/32");
        Assert.Equal("10.0.1.7/32", HeldBy(mesh, "node-0", "node-1"));

        var rotated = await mesh.Node("node-2").Rotate(Token);

        // The verb ends when the announcement has been handed over, not when others have it.
        await MeshCluster.EventuallyAsync(
            () => mesh.Announced("node-0", "node-2")!.Slots.Any(slot => slot.PublicKey == rotated.NewPublicKey), "the new key to arrive");
        await UntilHeldAsync(mesh, "node-2", "10.0.2.8/32");
        var status = await mesh.Node("node-0").GetStatus(Token);

        // What is stale came by two paths.
        Assert.DoesNotContain(status.Refusals, refusal => refusal.Outcome != AnnouncementOutcome.StaleSequence);
        var heldBack = Assert.Single(status.Addresses!.HeldBack);
        Assert.Equal(("node-2", "node-1", HeldBackReason.HeldByAnotherNode), (heldBack.NodeName, heldBack.OtherNode, heldBack.Reason));
        var snapshot = await mesh.GetSnapshotAsync();
        var problem = Assert.Single(snapshot.Nodes.Single(node => node.NodeName == "node-2").Problems);
        Assert.Equal((NodeProblemCode.OverlapLost, "10.0.1.7/32"), (problem.Code, problem.Arguments[0]));

        // It moves for good: who had it gives it back.
        _sources["node-1"].Set("10.0.1.8/32");
        await UntilHeldAsync(mesh, "node-2", "10.0.1.7/32 10.0.2.8/32");
    }

    // What was made of two neighbours must not wait because another node has one of them.
    [Fact]
    public async Task Prefix_WhoseNeighbourAnotherNodeHas_Counts()
    {
        await using var mesh = await StartAsync(3);
        _sources["node-2"].Set("10.0.1.3/32");
        await UntilHeldAsync(mesh, "node-2", "10.0.1.3/32");
        _sources["node-1"].Set("10.0.1.2/32", "10.0.1.3/32");
        await UntilHeldAsync(mesh, "node-1", "10.0.1.2/32");
        Assert.Equal("10.0.1.3/32", HeldBy(mesh, "node-0", "node-2"));
    }

    [Fact]
    public async Task Silo_Joins_LearnsTheAddressesOfAll()
    {
        await using var mesh = await StartAsync(3);
        _sources["node-1"].Set("10.0.1.7/32");
        await UntilHeldAsync(mesh, "node-1", "10.0.1.7/32");
        _sources["node-3"].Set("10.0.3.1/32");
        await mesh.StartSiloAsync("node-3");
        await UntilHeldAsync(mesh, "node-1", "10.0.1.7/32");
        await UntilHeldAsync(mesh, "node-3", "10.0.3.1/32");
    }

    // Its sequence must be above what others hold of the silo before it, or nobody would take what it says.
    [Fact]
    public async Task Silo_Restarted_IsHeardAgain()
    {
        await using var mesh = await StartAsync(3);
        _sources["node-1"].Set("10.0.1.7/32");
        await UntilHeldAsync(mesh, "node-1", "10.0.1.7/32");
        await mesh.KillAsync("node-1");
        Assert.Equal("10.0.1.7/32", HeldBy(mesh, "node-0", "node-1"));
        _sources["node-1"].Set("10.0.1.11/32");
        await mesh.StartSiloAsync("node-1");
        await UntilHeldAsync(mesh, "node-1", "10.0.1.11/32");
    }

    // Two hundred changes in two seconds are three announcements at most.
    [Fact]
    public async Task Prefixes_Flap_AreAnnouncedOnceASecondAtMost()
    {
        await using var mesh = await StartAsync(2);
        _sources["node-1"].Set("10.0.1.7/32");
        await UntilHeldAsync(mesh, "node-1", "10.0.1.7/32");
        var began = Stopwatch.GetTimestamp();
        var before = Announced(mesh);
        for (var i = 0; i < 200; i++)
        {
            _sources["node-1"].Set("10.0.1.7/32", string.Create(CultureInfo.InvariantCulture, $"10.0.5.{i}/32"));
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Token);
        }

        var (announced, took) = (Announced(mesh) - before, Stopwatch.GetElapsedTime(began));
        output.WriteLine($"{announced} announcements in {took}");
        Assert.InRange(announced, 1, (int)took.TotalSeconds + 2);

        int Announced(MeshCluster of) => of.Logs.Lines.Count(line => line.Contains("Announced addresses", StringComparison.Ordinal));
    }

    private async Task<MeshCluster> StartAsync(int nodes)
    {
        foreach (var (name, source) in _sources)
        {
            source.Set($"10.0.{name[^1]}.1/32");
        }

        var mesh = await MeshCluster.StartAsync(nodes, prefixes: name => _sources[name]);
        foreach (var name in mesh.NodeNames)
        {
            await UntilHeldAsync(mesh, name, $"10.0.{name[^1]}.1/32");
        }

        return mesh;
    }

    private static async Task UntilHeldAsync(MeshCluster mesh, string nodeName, string prefixes)
    {
        foreach (var holder in mesh.NodeNames.Where(name => name != nodeName))
        {
            await MeshCluster.EventuallyAsync(
                () => HeldBy(mesh, holder, nodeName) == prefixes,
                $"{holder} to hold {prefixes} of {nodeName}");
        }
    }

    private static string HeldBy(MeshCluster mesh, string holder, string nodeName)
    {
        var keys = mesh.Announced(holder, nodeName)?.Slots.Select(slot => slot.PublicKey).ToHashSet() ?? [];
        var devices = new[] { "cilium_wg0", "cilium_wg1" }.Select(mesh.Devices(holder).Peek).OfType<Device>();
        return string.Join(' ', devices.SelectMany(device => device.Peers).Where(peer => keys.Contains(peer.PublicKey))
            .SelectMany(peer => peer.AllowedIPs).Where(prefix => IPPrefix.Parse("10.0.0.0/8").Contains(prefix))
            .Distinct().Order());
    }
}
