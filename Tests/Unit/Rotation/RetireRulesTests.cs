using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>A slot is quiet when nothing goes through it in either direction, and nothing has for a while.</summary>
public sealed class RetireRulesTests
{
    private static readonly DateTimeOffset QuietSince = TestMesh.Start;
    private static readonly DateTimeOffset Before = QuietSince.AddSeconds(-1);
    private static readonly DateTimeOffset After = QuietSince.AddSeconds(1);
    private static readonly AgentSnapshot Quiet = new([], null, 1)
    {
        LastMovedAt = Before,
        Paths = [Path(Slot.One)],
        Receptions = [new Reception("node-2", Slot.Zero, Before), new Reception("node-2", Slot.One, After)],
    };

    [Fact]
    public void IsQuiet_AllMovedLongAgo_IsTrue()
    {
        Assert.True(IsQuiet(Quiet));
        Assert.True(IsQuiet(Quiet with { LastMovedAt = null, Paths = [], Receptions = [] }));
    }

    [Fact]
    public void IsQuiet_SomethingStillGoesThrough_IsFalse()
    {
        Assert.False(IsQuiet(Quiet with { LastMovedAt = After }));
        Assert.False(IsQuiet(Quiet with { Paths = [Path(Slot.One), Path(Slot.Zero)] }));
        Assert.False(IsQuiet(Quiet with { Receptions = [new Reception("node-2", Slot.Zero, After)] }));
        Assert.False(RetireRules.IsQuiet(Slot.Zero, activeSince: After, Quiet, QuietSince));
    }

    private static bool IsQuiet(AgentSnapshot agent) => RetireRules.IsQuiet(Slot.Zero, activeSince: Before, agent, QuietSince);

    private static PathStatus Path(Slot slot) => new("node-2", slot, TestMesh.Key(2), IsProven: true);
}
