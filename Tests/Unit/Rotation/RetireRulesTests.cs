using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>A slot is quiet when nothing goes through it in either direction, and nothing has for a while.</summary>
public sealed class RetireRulesTests
{
    private static readonly SteadyTime QuietSince = TestMesh.SteadyAt(0);
    private static readonly SteadyTime Before = TestMesh.SteadyAt(-1);
    private static readonly SteadyTime After = TestMesh.SteadyAt(1);
    private static readonly AgentSnapshot Quiet = new([], null, 1)
    {
        Moves = [new PathMove("node-2", Slot.Zero, Slot.One, Before)],
        Paths = [Path(Slot.One)],
        Receptions = [new Reception("node-2", Slot.Zero, Before), new Reception("node-2", Slot.One, After)],
    };

    [Fact]
    public void IsQuiet_AllMovedLongAgo_IsTrue()
    {
        Assert.True(IsQuiet(Quiet));
        Assert.True(IsQuiet(Quiet with { Moves = [], Paths = [], Receptions = [] }));
    }

    [Fact]
    public void IsQuiet_SomethingStillGoesThrough_IsFalse()
    {
        Assert.False(IsQuiet(Quiet with { Moves = [new PathMove("node-2", Slot.Zero, Slot.One, After)] }));
        Assert.False(IsQuiet(Quiet with { Paths = [Path(Slot.One), Path(Slot.Zero)] }));
        Assert.False(IsQuiet(Quiet with { Receptions = [new Reception("node-2", Slot.Zero, After)] }));
        Assert.False(RetireRules.IsQuiet(Slot.Zero, activeSince: After, Quiet, QuietSince));
    }

    // It tells nothing of the slot that is left.
    [Fact]
    public void IsQuiet_TrafficMovedToIt_IsNoReason() =>
        Assert.True(IsQuiet(Quiet with { Moves = [new PathMove("node-2", Slot.One, Slot.Zero, After)] }));

    private static bool IsQuiet(AgentSnapshot agent) => RetireRules.IsQuiet(Slot.Zero, activeSince: Before, agent, QuietSince);

    private static PathStatus Path(Slot slot) => new("node-2", slot, TestMesh.Key(2), IsProven: true);
}
