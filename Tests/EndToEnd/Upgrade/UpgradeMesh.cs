using System.Globalization;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Upgrade;

/// <summary>A mesh whose silos are of several releases, and what each step of a roll-out costs its packets.</summary>
internal sealed class UpgradeMesh : IAsyncDisposable
{
    // What starts later than it should is late, not lost: rotations are waited for this much longer.
    private const int SparePeriods = 4;

    // What a silo logs that was called by, or sent, what it does not know.
    private static readonly string[] Strange =
        ["TypeLoadException", "CodecNotFound", "FieldTypeInvalid", "Refused an announcement"];

    // failureThreshold and periodSeconds of the DaemonSet's readiness probe.
    private static readonly TimeSpan ProbeFailures = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ReachTimeout = TimeSpan.FromSeconds(60);

    private readonly ITestOutputHelper _output;
    private readonly Dictionary<NodePlan, SiloVariant> _variants;
    private readonly MeshStarter _starter;
    private readonly int _rate;

    private UpgradeMesh(MeshHarness harness, TimeSpan period, int rate, ITestOutputHelper output)
    {
        (Harness, Period, _rate, _output) = (harness, period, rate, output);
        _starter = new MeshStarter(harness, Time, TestContext.Current.SendDiagnosticMessage);
        _variants = harness.Plan.Nodes.ToDictionary(node => node, _ => SiloVariant.Present);
    }

    /// <summary>The mesh.</summary>
    public MeshHarness Harness { get; }

    /// <summary>How long a key is in use.</summary>
    public TimeSpan Period { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TimeProvider Time => TimeProvider.System;

    /// <summary>Builds the variants and starts a mesh of the present release, over which packets flow.</summary>
    public static async Task<UpgradeMesh> StartAsync(
        MeshPlan plan, TimeSpan period, int rate, ITestOutputHelper output, IReadOnlyList<SiloVariant> variants,
        Action<JsonObject>? change = null)
    {
        var binaries = new List<(SiloVariant Variant, string Binary)>();
        foreach (var variant in variants)
        {
            binaries.Add((variant, await variant.FindBinaryAsync()));
        }

        var harness = await MeshHarness.CreateAsync(plan, MeshState.For(plan), Time, TestContext.Current.SendDiagnosticMessage, Token);
        var mesh = new UpgradeMesh(harness, period, rate, output);
        try
        {
            foreach (var (variant, binary) in binaries)
            {
                harness.InstallBinary(binary, variant.Program);
            }

            harness.InstallBinary(LocalMeshCollection.Binary, SiloVariant.Present.Program);
            await mesh._starter.StartAsync(LocalMeshCollection.Binary, period, Token, change);
            await using (var probes = new MeshProbes(harness, Time))
            {
                Assert.Empty(await probes.WaitReachableAsync(Time.GetUtcNow(), ReachTimeout, Token));
            }

            await harness.FavourDevicesAsync(Token);
            output.WriteLine(UpgradeStep.Head);
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Does something while packets flow, and goes on until every node has rotated so often since; says in a line what it cost.
    /// </summary>
    /// <param name="name">Of the step, for the table.</param>
    /// <param name="rotations">How often every node has to rotate.</param>
    /// <param name="act">What is done.</param>
    public async Task<UpgradeStep> MeasureAsync(string name, int rotations, Func<Task>? act = null)
    {
        await using var meter = new PacketMeter([.. Harness.Plan.Nodes.Select(MeterEndpoint.OfPod)], Time, _rate);
        await (act?.Invoke() ?? Task.CompletedTask);
        var watch = new RotationWatch(Harness);
        await watch.SampleAsync(Token);
        var (started, limit) = (Time.GetTimestamp(), Period * (rotations + SparePeriods));
        while (watch.Fewest < rotations && Time.GetElapsedTime(started) < limit)
        {
            await Task.Delay(Poll, Time, Token);
            await watch.SampleAsync(Token);
        }

        // What the last rotation may cost comes after its key is seen.
        await Task.Delay(Period / 2, Time, Token);
        var report = await meter.StopAsync(Token);
        var step = new UpgradeStep(
            name,
            [.. Harness.Plan.Nodes.Select(node => _variants[node].Name)],
            await ReadProtocolsAsync(),
            report,
            [.. Harness.Plan.Nodes.Select(watch.Rotations)]);
        _output.WriteLine(step.ToString());
        return step;
    }

    /// <summary>The release of a node's silo.</summary>
    public SiloVariant VariantOf(NodePlan node) => _variants[node];

    /// <summary>Ends the silo of a node as a kubelet does and starts one of another release in its place.</summary>
    public async Task ReplaceAsync(NodePlan node, SiloVariant variant)
    {
        await Harness.StopSiloAsync(node, Token);
        _variants[node] = variant;
        Harness.StartSilo(node, program: variant.Program);
    }

    /// <summary>The same, and waits until it is ready.</summary>
    public async Task RollAsync(NodePlan node, SiloVariant variant)
    {
        await ReplaceAsync(node, variant);
        await _starter.WaitReadyAsync([node], Token);
    }

    /// <summary>
    /// Replaces the silos as a DaemonSet with <c>maxUnavailable: 1</c> does: one after the other, the next one when the one before is
    /// ready, and whoever of the former revision is not ready at once, however many there are. It gives up after a while.
    /// </summary>
    /// <returns>Where it stopped and why; <see langword="null"/> if all nodes have the release.</returns>
    public async Task<(NodePlan Node, string Reason)?> RollOutAsync(SiloVariant variant, TimeSpan progressDeadline)
    {
        var unready = new Dictionary<NodePlan, long>();
        while (Harness.Plan.Nodes.FirstOrDefault(node => _variants[node] != variant) is { } node)
        {
            await ReplaceAsync(node, variant);
            var started = Time.GetTimestamp();
            while (await Harness.AskReadyAsync(node, Token) is { IsReady: false } answer)
            {
                if (Time.GetElapsedTime(started) > progressDeadline)
                {
                    return (node, answer.Reason);
                }

                await ReplaceUnreadyAsync(variant, unready);
                await Task.Delay(Poll, Time, Token);
            }
        }

        return null;
    }

    private async Task ReplaceUnreadyAsync(SiloVariant variant, Dictionary<NodePlan, long> unready)
    {
        foreach (var former in Harness.Plan.Nodes.Where(node => _variants[node] != variant))
        {
            if ((await Harness.AskReadyAsync(former, Token)).IsReady)
            {
                unready.Remove(former);
            }
            else if (unready.TryAdd(former, Time.GetTimestamp()) is false && Time.GetElapsedTime(unready[former]) > ProbeFailures)
            {
                await ReplaceAsync(former, variant);
            }
        }
    }

    /// <summary>Waits until a silo has written something to its log.</summary>
    /// <exception cref="ExpectationException">It has not within a minute.</exception>
    public async Task WaitForLogAsync(NodePlan node, string text)
    {
        var started = Time.GetTimestamp();
        while (!ReadLog(node).Contains(text, StringComparison.Ordinal))
        {
            Expect.True(Time.GetElapsedTime(started) < TimeSpan.FromMinutes(1), $"'{text}' in the log of {node.Name}\n{Tail(node)}");
            await Task.Delay(Poll, Time, Token);
        }
    }

    /// <summary>Nobody was called by, or sent, what it does not know, and nobody refused anything.</summary>
    public void AssertNothingStrange() => Assert.All(Harness.Plan.Nodes, node => Assert.All(
        Strange, text => Assert.DoesNotContain(text, ReadLog(node), StringComparison.Ordinal)));

    /// <summary>All that the silos of a node have logged.</summary>
    public string ReadLog(NodePlan node) => File.ReadAllText(Harness.State.SiloLog(node));

    /// <summary>The last lines of it.</summary>
    public string Tail(NodePlan node) => LogTail.Read(Harness.State.SiloLog(node));

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Harness.DisposeAsync();

    // Of whoever answers: a silo that ended has none.
    private async Task<string> ReadProtocolsAsync()
    {
        var asked = Harness.Plan.Nodes.First(node => Harness.Silo(node) is { IsAlive: true });
        var (text, problem) = await MeshStatusReader.ReadTextAsync(Harness, asked, Token);
        return text is null
            ? problem
            : string.Join(' ', JsonNode.Parse(text)!["nodes"]!.AsArray().Select(node =>
                node!["status"]?["effectiveProtocol"]?.GetValue<int>().ToString(CultureInfo.InvariantCulture) ?? "-"));
    }
}
