using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>How long a rotation took is the time from the new key to the last peer's move to it.</summary>
public sealed class RotationStateTests : IDisposable
{
    private readonly KeyPair _zero = KeyPair.Create();
    private readonly KeyPair _one = KeyPair.Create();

    [Fact]
    public void LastDuration_AllHaveMoved_IsUntilTheLastOne() =>
        Assert.Equal(TimeSpan.FromSeconds(4), LastDuration(Agent(Moved(2, 3), Moved(3, 4))));

    // What moved to the other slot, or before the key was made, says nothing of it.
    [Fact]
    public void LastDuration_OtherMoves_DoNotCount()
    {
        Assert.Equal(
            TimeSpan.FromSeconds(3), LastDuration(Agent(Moved(2, 3), new PathMove("node-3", Slot.One, Slot.Zero, TestMesh.SteadyAt(9)))));
        Assert.Null(LastDuration(Agent(Moved(2, -1))));
        Assert.Null(LastDuration(Agent()));
    }

    [Fact]
    public void LastDuration_OneIsStillOnTheOldSlot_IsUnknown()
    {
        var agent = Agent(Moved(2, 3));
        Assert.Null(LastDuration(agent with { Paths = [agent.Paths[0], agent.Paths[1] with { Slot = Slot.Zero }] }));
    }

    public void Dispose()
    {
        _zero.Dispose();
        _one.Dispose();
    }

    private static PathMove Moved(int node, int at) => new(TestMesh.Name(node), Slot.Zero, Slot.One, TestMesh.SteadyAt(at));

    private static AgentSnapshot Agent(params PathMove[] moves) => new([], null, 1)
    {
        Paths = [Path(2), Path(3)],
        Moves = [.. moves],
    };

    private static PathStatus Path(int node) => new(TestMesh.Name(node), Slot.One, TestMesh.Key(node), IsProven: true);

    private TimeSpan? LastDuration(AgentSnapshot agent) => new RotationState { ReplacedAt = TestMesh.SteadyAt(0) }.ToStatus(
        [new SlotKey(Slot.Zero, _zero, new Epoch(10), TestMesh.Start), new SlotKey(Slot.One, _one, new Epoch(11), TestMesh.Start)],
        agent,
        new MeshClock(new WaitableTimeProvider(TestMesh.Start), TimeSpan.FromSeconds(120)),
        TestMesh.SteadyAt(0)).LastDuration;
}
