using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>Availability goes before freshness, up to a limit.</summary>
public sealed class RotationPlanTests
{
    private const double MaxLaggingFraction = 0.25;
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan MaxKeyAge = TimeSpan.FromHours(1);

    // Due for a second; nobody depends on the key.
    private static readonly RotationSituation Calm = new(Period * 2, TimeSpan.FromSeconds(1), IsFrozen: false, [], LivePeers: 8);

    [Fact]
    public void Decide_NobodyLagging_Replaces() => Assert.Equal(new RotationDecision(RotationAction.Replace), Decide(Calm));

    [Theory]
    [InlineData(0, nameof(RotationAction.Wait))]
    [InlineData(29.999, nameof(RotationAction.Wait))]
    [InlineData(30, nameof(RotationAction.Keep))]
    [InlineData(119, nameof(RotationAction.Keep))]
    public void Decide_SomebodyLagging_WaitsAQuarterOfThePeriod(double overdue, string expected)
    {
        var decision = Decide(Calm with { Lagging = Lagging(1), Overdue = TimeSpan.FromSeconds(overdue) });
        Assert.Equal(expected, decision.Action.ToString());
        var code = decision.Action == RotationAction.Wait ? RotationProblemCode.Waits : RotationProblemCode.Kept;
        Assert.Equal(new RotationProblem(code, Lagging(1)[0], 1, Calm.LivePeers, MaxKeyAge, MaxLaggingFraction), decision.Problem);
    }

    [Fact]
    public void Decide_OlderThanMaxKeyAge_ReplacesAtTheCostOfAFew()
    {
        var overdue = Calm with { Lagging = Lagging(2), Overdue = Period };
        Assert.Equal(RotationAction.Keep, Decide(overdue with { KeyAge = MaxKeyAge - TimeSpan.FromTicks(1) }).Action);
        Assert.Equal(RotationAction.Replace, Decide(overdue with { KeyAge = MaxKeyAge }).Action);
        Assert.Equal(
            new RotationProblem(RotationProblemCode.Replaced, Lagging(1)[0], 2, Calm.LivePeers, MaxKeyAge, MaxLaggingFraction),
            Decide(overdue with { KeyAge = MaxKeyAge }).Problem);
    }

    // Then it is more likely this node's fault than theirs.
    [Fact]
    public void Decide_OlderThanMaxKeyAgeAndTooManyLagging_KeepsAndSaysSo()
    {
        var decision = Decide(Calm with { Lagging = Lagging(3), Overdue = Period, KeyAge = MaxKeyAge });
        Assert.Equal(RotationAction.Keep, decision.Action);
        Assert.Equal((RotationProblemCode.TooManyLagging, 3), (decision.Problem?.Code, decision.Problem?.LaggingPeers));
    }

    [Fact]
    public void Decide_Frozen_KeepsWithoutAProblem()
    {
        Assert.Equal(new RotationDecision(RotationAction.Keep), Decide(Calm with { IsFrozen = true }));
        Assert.Equal(
            new RotationDecision(RotationAction.Keep), Decide(Calm with { IsFrozen = true, Lagging = Lagging(1), KeyAge = MaxKeyAge }));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Decide_EmptySlot_IsFilled(bool isFrozen) =>
        Assert.Equal(new RotationDecision(RotationAction.Replace), Decide(Calm with { KeyAge = null, IsFrozen = isFrozen }));

    private static RotationDecision Decide(RotationSituation situation) =>
        RotationPlan.Decide(situation, Period / 4, MaxKeyAge, MaxLaggingFraction);

    private static LaggingNode[] Lagging(int count) =>
        [.. Enumerable.Range(1, count).Select(node => new LaggingNode($"node-{node}", LaggingReason.Sends, Slot.Zero))];
}
