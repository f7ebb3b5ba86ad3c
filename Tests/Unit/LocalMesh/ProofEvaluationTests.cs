using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Secrets;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>Each proof passes on good measurements and fails on each kind of bad one.</summary>
public sealed class ProofEvaluationTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly MeshPlan Two = MeshPlan.Demo(2);
    private static readonly MeshPlan Three = MeshPlan.Demo(3);

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(10, 0, true)]
    [InlineData(10.1, 0, false)]
    [InlineData(0, 1, false)]
    public void PodsReachEachOther_SilenceOrLoss_Decides(double silence, int lost, bool expected)
    {
        var proof = ProofEvaluation.PodsReachEachOther(Pings(new PingReport(300, lost, TimeSpan.FromSeconds(silence))), Period);

        Assert.Equal(expected, proof.Passed);
        Assert.Equal(!expected, proof.Figures.Contains("node-1→node-2", StringComparison.Ordinal));
    }

    [Fact]
    public void PodsReachEachOther_NothingSent_Fails() =>
        Assert.False(ProofEvaluation.PodsReachEachOther(Pings(new PingReport(0, 0, TimeSpan.Zero)), Period).Passed);

    [Theory]
    [InlineData(2, 10)]
    [InlineData(5, 10)]
    [InlineData(60, 120)]
    public void SilenceLimit_Period_IsTwoOfThemOrTwoHandshakeRetries(int period, int limit) =>
        Assert.Equal(TimeSpan.FromSeconds(limit), ProofEvaluation.SilenceLimit(TimeSpan.FromSeconds(period)));

    [Fact]
    public void NothingInClear_CleanCaptureOfTunnels_Passes()
    {
        Assert.True(ProofEvaluation.NothingInClear(Tally(WireGuard), 0).Passed);
        Assert.False(ProofEvaluation.NothingInClear(Tally(WireGuard), 1).Passed);
        Assert.False(ProofEvaluation.NothingInClear(Tally(WireGuard, Leak), 0).Passed);
        Assert.False(ProofEvaluation.NothingInClear(Tally(WireGuard, [1, 2]), 0).Passed);
    }

    [Fact]
    public void NothingInClear_CaptureThatSawNoTunnel_Fails() => Assert.False(ProofEvaluation.NothingInClear(Tally(), 0).Passed);

    [Fact]
    public void ControlIsSeen_PodsInClear_PassesOnlyIfTheyWereSeenAndAnswered()
    {
        var answered = Pings(new PingReport(10, 0, TimeSpan.Zero));

        Assert.True(ProofEvaluation.ControlIsSeen(Tally(Leak, Leak), answered).Passed);
        Assert.False(ProofEvaluation.ControlIsSeen(Tally(WireGuard), answered).Passed);
        Assert.False(ProofEvaluation.ControlIsSeen(Tally(Leak, Leak), Pings(new PingReport(10, 10, TimeSpan.Zero))).Passed);
    }

    [Theory]
    [InlineData(1.9, true)]
    [InlineData(2.1, false)]
    public void KeysAgree_Disagreement_MayLastTwoSeconds(double seconds, bool expected)
    {
        var history = new AgreementHistory(Two);
        history.Observe(ProbeTests.Sample(Start, "A2", "B", heldOf1: "A"));
        history.Observe(ProbeTests.Sample(Start.AddSeconds(seconds), "A2", "B", heldOf1: "A"));
        history.Observe(ProbeTests.Sample(Start.AddSeconds(seconds + 1), "A2", "B"));

        Assert.Equal(expected, ProofEvaluation.KeysAgree(history, Two).Passed);
    }

    [Fact]
    public void KeysAgree_NothingCompared_Fails() => Assert.False(ProofEvaluation.KeysAgree(new AgreementHistory(Two), Two).Passed);

    [Fact]
    public void KeysRotate_EnoughFreshKeys_Passes() => Assert.True(ProofEvaluation.KeysRotate(Keys(11, 5), Two, Period, Minute).Passed);

    [Fact]
    public void KeysRotate_TooFew_Fails() => Assert.False(ProofEvaluation.KeysRotate(Keys(10, 5), Two, Period, Minute).Passed);

    [Fact]
    public void KeysRotate_KeyKeptForAnotherTurn_Fails() =>
        Assert.False(ProofEvaluation.KeysRotate(Keys(11, 20), Two, Period, Minute).Passed);

    [Fact]
    public void KeysRotate_KeyThatComesBack_Fails()
    {
        var history = Keys(11, 5);
        history.Observe(ProbeTests.Sample(Start.AddHours(1), "key-1-0000", "key-2-9999"));

        var proof = ProofEvaluation.KeysRotate(history, Two, Period, Minute);

        Assert.False(proof.Passed);
        Assert.Contains("1 keys came back", proof.Figures, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5, 60, 10)]
    [InlineData(5, 600, 10)]
    [InlineData(5, 30, 5)]
    [InlineData(60, 30, 0)]
    public void RequiredRotations_Duration_NeedsTenWhereTenFit(int period, int duration, int expected) =>
        Assert.Equal(expected, ProofEvaluation.RequiredRotations(TimeSpan.FromSeconds(period), TimeSpan.FromSeconds(duration)));

    [Fact]
    public void SecretsStayInside_Verdict_NeedsKeysNoFindingsAndAWorkingSearch()
    {
        SecretFinding finding = new("silo.log", "base64");

        Assert.True(ProofEvaluation.SecretsStayInside(30, 5, 3, [], []).Passed);
        Assert.False(ProofEvaluation.SecretsStayInside(0, 5, 3, [], []).Passed);
        Assert.False(ProofEvaluation.SecretsStayInside(30, 5, 3, [finding], []).Passed);
        Assert.False(ProofEvaluation.SecretsStayInside(30, 5, 3, [], ["a log as base64"]).Passed);
    }

    [Fact]
    public void OthersUntouched_OnlyTheVictimSuffers_Passes() =>
        Assert.True(
            ProofEvaluation.OthersUntouched("node-3", Losses(victim: 7, others: 0), Devices(), Devices(received: 50), Three).Passed);

    [Fact]
    public void OthersUntouched_LossOrTouchedPeer_Fails()
    {
        var pings = Losses(victim: 0, others: 0);

        Assert.False(ProofEvaluation.OthersUntouched("node-3", Losses(victim: 0, others: 1), Devices(), Devices(), Three).Passed);
        Assert.False(ProofEvaluation.OthersUntouched("node-3", pings, Devices(), Devices(key: "other"), Three).Passed);
        Assert.False(ProofEvaluation.OthersUntouched("node-3", pings, Devices(received: 50), Devices(received: 1), Three).Passed);
    }

    [Fact]
    public void RestartKeepsKey_SameKeyAndNoLoss_Passes() =>
        Assert.True(ProofEvaluation.RestartKeepsKey("node-3", Losses(victim: 0, others: 7), Devices(), Devices(received: 50)).Passed);

    [Fact]
    public void RestartKeepsKey_AnotherKeyOrLossOrNoDevice_Fails()
    {
        var pings = Losses(victim: 0, others: 0);

        Assert.False(ProofEvaluation.RestartKeepsKey("node-3", Losses(victim: 1, others: 0), Devices(), Devices()).Passed);
        Assert.False(ProofEvaluation.RestartKeepsKey("node-3", pings, Devices(), Devices(own: "new")).Passed);
        Assert.False(ProofEvaluation.RestartKeepsKey("node-9", pings, Devices(), Devices()).Passed);
    }

    [Fact]
    public void StatusIsComplete_AllNodesAgree_Passes()
    {
        Assert.True(ProofEvaluation.StatusIsComplete(Status(2, 2, null), Two, "").Passed);
        Assert.False(ProofEvaluation.StatusIsComplete(Status(2, 1, null), Two, "").Passed);
        Assert.False(ProofEvaluation.StatusIsComplete(Status(0, 0, null), Two, "").Passed);
        Assert.False(ProofEvaluation.StatusIsComplete(Status(2, 2, "no peers"), Two, "").Passed);
        Assert.False(ProofEvaluation.StatusIsComplete(Status(2, 2, null), Three, "").Passed);
        Assert.Equal("no gateway", ProofEvaluation.StatusIsComplete(null, Two, "no gateway").Figures);
    }

    private static byte[] WireGuard =>
    [
        .. new byte[12], 8, 0, 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 100, 1, 192, 168, 100, 2,
        0xCA, 0x9F, 0xCA, 0x9F, 0, 12, 0, 0, 4, 0, 0, 0,
    ];

    private static byte[] Leak =>
        [.. new byte[12], 8, 0, 0x45, 0, 0, 24, 0, 0, 0, 0, 64, 1, 0, 0, 10, 244, 1, 10, 10, 244, 2, 10, 8, 0, 0, 0];

    private static CaptureTally Tally(params byte[][] frames) => CaptureTally.Count(frames, new FrameClassifier(Two, default));

    private static Dictionary<NodePair, PingReport> Pings(PingReport firstPair) => new()
    {
        [new("node-1", "node-2")] = firstPair,
        [new("node-2", "node-1")] = firstPair with { Lost = Math.Min(firstPair.Lost, firstPair.Sent), LongestSilence = TimeSpan.Zero },
    };

    private static KeyHistory Keys(int count, int secondsEach)
    {
        var history = new KeyHistory();
        for (var i = 0; i < count; i++)
        {
            foreach (var second in (int[])[0, secondsEach])
            {
                history.Observe(ProbeTests.Sample(Start.AddSeconds((i * secondsEach) + second), $"key-1-{i:0000}", $"key-2-{i:0000}"));
            }
        }

        return history;
    }

    private static Dictionary<NodePair, PingReport> Losses(int victim, int others) => Three.OrderedPairs
        .Select(p => new NodePair(p.From.Name, p.To.Name))
        .ToDictionary(p => p, p => new PingReport(20, p.Involves("node-3") ? victim : others, TimeSpan.Zero));

    private static DeviceSample Devices(string key = "key", long received = 10, string own = "own") => new(Start, Three.Nodes.ToDictionary(
        n => n.Name,
        n => (IReadOnlyList<DeviceDump>)[new DeviceDump(own, MeshPlan.WireGuardPort, [.. Three.Nodes.Where(o => o != n)
            .Select(o => new PeerDump(key + o.Name, "e", [o.PodCIDR.ToString()], Start, received, 10))])]));

    private static MeshStatus Status(int agreements, int agreeing, string? problem) => new(
        Two.Nodes.ToDictionary(n => n.Name, n => new NodeView(n.Name, 1, 2, new Dictionary<string, DateTimeOffset>(), problem)),
        agreements, agreeing);
}
