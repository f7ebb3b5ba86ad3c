using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.EndToEnd;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>A mesh that rotates fast while something goes wrong, and the moments of a rotation as <c>wg</c> shows them.</summary>
/// <remarks>
/// Nothing here reads our own code's state: a node's jitter is the phase in which its keys are seen to change. A moment that lasts only
/// milliseconds, such as between key and announcement, is held open by blocking the packets that would end it.
/// </remarks>
internal sealed class RotatingMesh : IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan SlowPoll = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Sample = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ReachTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeProvider Time = TimeProvider.System;

    private readonly Action<string> _report;
    private readonly CancellationToken _token;

    private RotatingMesh(MeshHarness mesh, TimeSpan period, Action<string> report, CancellationToken token)
    {
        (Harness, Period, _report, _token) = (mesh, period, report, token);
        Watch = new RotationWatch(mesh);
    }

    /// <summary>The mesh.</summary>
    public MeshHarness Harness { get; }

    /// <summary>Length of an epoch.</summary>
    public TimeSpan Period { get; }

    /// <summary>Counts rotations, from its first sample on.</summary>
    public RotationWatch Watch { get; }

    /// <summary>Starts silos and waits until they are ready and their pods reach each other.</summary>
    /// <param name="plan">Names and addresses.</param>
    /// <param name="binary">The silo executable.</param>
    /// <param name="period">Length of an epoch.</param>
    /// <param name="report">Gets what happens.</param>
    /// <param name="token">Stops waiting.</param>
    /// <param name="nodes">Which nodes have a silo; all by default.</param>
    /// <param name="variables">Environment of each silo.</param>
    /// <param name="configure">Changes each silo's configuration.</param>
    /// <param name="prepare">Changes the network before there is a silo.</param>
    public static async Task<RotatingMesh> StartAsync(
        MeshPlan plan,
        string binary,
        TimeSpan period,
        Action<string> report,
        CancellationToken token,
        IReadOnlyList<NodePlan>? nodes = null,
        Func<NodePlan, IReadOnlyDictionary<string, string?>?>? variables = null,
        Action<JsonObject>? configure = null,
        Func<MeshHarness, Task>? prepare = null)
    {
        var harness = await MeshHarness.CreateAsync(plan, MeshState.For(plan), Time, report, token);
        var mesh = new RotatingMesh(harness, period, report, token);
        try
        {
            harness.InstallBinary(binary);
            harness.Configure(period, configure);
            await (prepare?.Invoke(harness) ?? Task.CompletedTask);
            await harness.Redis.StartAsync(token);
            foreach (var node in nodes ?? plan.Nodes)
            {
                harness.StartSilo(node, variables?.Invoke(node));
            }

            await mesh.UntilReadyAsync(nodes ?? plan.Nodes);
            await mesh.UntilPodsReachAsync(nodes ?? plan.Nodes);
            await harness.FavourDevicesAsync(token);
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts counting packets between the pods of some nodes; of all by default.</summary>
    public PacketMeter Meter(IEnumerable<NodePlan>? nodes = null) =>
        new([.. (nodes ?? Harness.Plan.Nodes).Select(MeterEndpoint.OfPod)], Time);

    /// <summary>Waits until silos are ready.</summary>
    public Task UntilReadyAsync(params IReadOnlyList<NodePlan> nodes) =>
        new MeshStarter(Harness, Time, _report).WaitReadyAsync(nodes, _token);

    /// <summary>Starts the silo of a node again, as its supervisor would, and waits until it is ready.</summary>
    public async Task RestartAsync(NodePlan node, IReadOnlyDictionary<string, string?>? variables = null)
    {
        Harness.StartSilo(node, variables);
        await UntilReadyAsync(node);
    }

    /// <summary>Waits until the pods of some nodes have had an answer from each other.</summary>
    public async Task UntilPodsReachAsync(IReadOnlyList<NodePlan> nodes)
    {
        var names = nodes.Select(node => node.Name).ToHashSet();
        var ledger = new PingLedger();
        await using var pinger = new PodPinger(Harness.Plan, ledger, new byte[16], TimeSpan.FromMilliseconds(100), Time);
        var since = Time.GetUtcNow();
        await UntilAsync(
            () => Task.FromResult(Harness.Plan.OrderedPairs.Where(pair => names.Contains(pair.From.Name) && names.Contains(pair.To.Name))
                .All(pair => ledger.LastAnswered(new NodePair(pair.From.Name, pair.To.Name)) >= since)),
            "pods to reach each other",
            ReachTimeout);
    }

    /// <summary>Waits, and has <see cref="Watch"/> count meanwhile.</summary>
    public async Task ObserveAsync(TimeSpan time)
    {
        var start = Time.GetTimestamp();
        await Watch.SampleAsync(_token);
        while (Time.GetElapsedTime(start) < time)
        {
            await DelayAsync(Sample);
            await Watch.SampleAsync(_token);
        }
    }

    /// <summary>
    /// Waits until these nodes have each had so many rotations from now on; that it takes longer than the limit is a failure.
    /// </summary>
    public async Task UntilRotatedAsync(IReadOnlyList<NodePlan> nodes, int count, TimeSpan limit)
    {
        await Watch.SampleAsync(_token);
        var before = nodes.ToDictionary(node => node, Watch.Rotations);
        await UntilAsync(
            async () =>
            {
                await Watch.SampleAsync(_token);
                return nodes.All(node => Watch.Rotations(node) - before[node] >= count);
            },
            $"{count} rotations of {string.Join(", ", nodes.Select(node => node.Name))}",
            limit,
            SlowPoll);
    }

    /// <summary>Waits until every node sends to every other through one device; that it takes longer than the limit is a failure.</summary>
    public Task UntilAllSendThroughAsync(string device, TimeSpan limit) => UntilAsync(
        async () =>
        {
            foreach (var node in Harness.Plan.Nodes)
            {
                var routes = await Harness.RunAsync(node, _token, "ip", "route", "show", "table", "201", "type", "unicast");
                if (routes.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                    .Any(route => !route.Contains(device, StringComparison.Ordinal)))
                {
                    return false;
                }
            }

            return true;
        },
        $"every node to send through {device}",
        limit,
        SlowPoll);

    /// <summary>Waits until so long before a node's next rotation.</summary>
    /// <returns>The port of the device that is due: of two the one whose key did not change just now.</returns>
    public async Task<int> UntilBeforeRotationAsync(NodePlan node, TimeSpan lead)
    {
        var before = await DevicesAsync(node);
        var after = before;
        await UntilAsync(
            async () => (after = await DevicesAsync(node))
                .Any(device => device.PublicKey is not null && before.All(old => old.PublicKey != device.PublicKey)),
            $"a rotation of {node.Name}",
            Period * 3,
            Poll);
        await DelayAsync(Period - lead);
        return (after.FirstOrDefault(device => device.PublicKey is null || before.Any(old => old.PublicKey == device.PublicKey))
            ?? after[0]).ListenPort;
    }

    /// <summary>Waits until a node's device on this port has another key.</summary>
    /// <returns>The new key.</returns>
    public async Task<string> UntilNewKeyAsync(NodePlan node, int port)
    {
        var old = (await DevicesAsync(node)).Single(device => device.ListenPort == port).PublicKey;
        string? key = null;
        await UntilAsync(
            async () => (key = (await DevicesAsync(node)).SingleOrDefault(device => device.ListenPort == port)?.PublicKey) is not null
                && key != old,
            $"a new key of {node.Name} on port {port}",
            Period * 2,
            Poll);
        return key!;
    }

    /// <summary>The devices of a node, by slot.</summary>
    public async Task<IReadOnlyList<DeviceDump>> DevicesAsync(NodePlan node)
    {
        var output = (await Harness.RunAsync(node, _token, "wg", "show", "all", "dump")).EnsureSuccess().Output;
        return DeviceDump.ParseAll(output, MeshPlan.DeviceNames, static _ => { });
    }

    /// <summary>Whether a node holds a key as a peer.</summary>
    public async Task<bool> HoldsAsync(NodePlan holder, string key) => (await PeersAsync(holder, key)).Any();

    /// <summary>Whether a node has shaken hands with a key.</summary>
    public async Task<bool> HasShakenHandsAsync(NodePlan holder, string key) =>
        (await PeersAsync(holder, key)).Any(peer => peer.LatestHandshake is not null);

    /// <summary>A node's own status, as <c>owg status -o json</c> on another node has it; fields of NodeStatus.</summary>
    public Task<JsonElement> StatusAsync(NodePlan node, NodePlan askedOn) => NodeStatusQuery.ReadAsync(Harness, askedOn, node, _token);

    /// <summary>What a silo's clock was when it wrote the latest line of its log.</summary>
    public DateTimeOffset ReadClock(NodePlan node) => File.ReadLines(Harness.State.SiloLog(node))
        .Select(line => DateTimeOffset.TryParse(line.Split(' ')[0], CultureInfo.InvariantCulture, out var at) ? at : default).Max();

    /// <summary>Changes the configuration of a node, for the next start of its silo.</summary>
    public void Reconfigure(NodePlan node, Action<JsonNode> change)
    {
        var configuration = JsonNode.Parse(File.ReadAllText(Harness.State.SiloConfiguration(node)))!;
        change(configuration);
        File.WriteAllText(Harness.State.SiloConfiguration(node), configuration.ToJsonString());
    }

    /// <summary>Waits by the clock of the mesh, unless the test is over before.</summary>
    public Task DelayAsync(TimeSpan time) => Task.Delay(time, Time, _token);

    /// <summary>Waits for something; it not happening in time is a failure of the test.</summary>
    /// <exception cref="MeshFailedException">It did not happen.</exception>
    public async Task UntilAsync(Func<Task<bool>> condition, string what, TimeSpan limit, TimeSpan? poll = null)
    {
        var start = Time.GetTimestamp();
        while (!await condition())
        {
            if (Time.GetElapsedTime(start) > limit)
            {
                throw new MeshFailedException($"Waited {limit.TotalSeconds:0} s in vain for {what}.");
            }

            await DelayAsync(poll ?? SlowPoll);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Harness.DisposeAsync();

    private async Task<IEnumerable<PeerDump>> PeersAsync(NodePlan holder, string key) =>
        (await DevicesAsync(holder)).SelectMany(device => device.Peers).Where(peer => peer.PublicKey == key);
}
