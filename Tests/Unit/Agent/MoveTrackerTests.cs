using CsCheck;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Traffic has moved when it went through one slot and goes through the other, and by nothing else.</summary>
public sealed class MoveTrackerTests
{
    private static readonly Dictionary<string, Slot> Nowhere = [];

    private readonly MoveTracker _tracker = new();

    [Fact]
    public void Note_FirstPathOfANode_IsNoMove()
    {
        Note(1, (2, 0));
        Note(2, (2, 0), (3, 1));
        Assert.Empty(_tracker.Moves);
    }

    // After a restart the routes of the former silo tell where the traffic was.
    [Fact]
    public void Note_RoutesLedThroughTheOtherSlot_IsAMove()
    {
        _tracker.Note(new Dictionary<string, Slot> { ["node-2"] = Slot.Zero }, Paths((2, 1)), TestMesh.SteadyAt(1));
        Assert.Equal([new PathMove("node-2", Slot.Zero, Slot.One, TestMesh.SteadyAt(1))], _tracker.Moves);
    }

    [Fact]
    public void Note_NodeThatLeft_IsForgotten()
    {
        Note(1, (2, 0), (3, 0));
        Note(2, (2, 1), (3, 1));
        Note(3, (3, 1));
        Assert.Equal(["node-3"], _tracker.Moves.Select(move => move.NodeName));
        Note(4, (2, 0), (3, 1));
        Assert.Equal(["node-3"], _tracker.Moves.Select(move => move.NodeName));
    }

    // Whoever joins and leaves, the move that is shown of a node is the latest change of its own slot.
    [Fact]
    public void Note_AnyPaths_IsTheLatestChangeOfEachNode() => Gen.Int[-1, 1].Array[3].Array[1, 20].Sample(rounds =>
    {
        var tracker = new MoveTracker();
        var (slots, expected) = (new int[3], new PathMove?[3]);
        Array.Fill(slots, -1);
        for (var at = 0; at < rounds.Length; at++)
        {
            var paths = rounds[at].Select((slot, node) => (Node: node, Slot: slot)).Where(path => path.Slot >= 0).ToArray();
            tracker.Note(Nowhere, Paths(paths), TestMesh.SteadyAt(at));
            for (var node = 0; node < slots.Length; node++)
            {
                var slot = rounds[at][node];
                expected[node] = slot < 0 ? null
                    : slots[node] >= 0 && slots[node] != slot
                        ? new PathMove(TestMesh.Name(node), new Slot((byte)slots[node]), new Slot((byte)slot), TestMesh.SteadyAt(at))
                    : expected[node];
                slots[node] = slot;
            }

            Assert.Equal(expected.OfType<PathMove>(), tracker.Moves);
        }
    });

    private static Dictionary<string, PathStatus> Paths(params (int Node, int Slot)[] paths) => paths.ToDictionary(
        path => TestMesh.Name(path.Node), path => new PathStatus(
            TestMesh.Name(path.Node), new Slot((byte)path.Slot), TestMesh.Key(path.Node), IsProven: true));

    private void Note(int seconds, params (int Node, int Slot)[] paths) => _tracker.Note(Nowhere, Paths(paths), TestMesh.SteadyAt(seconds));
}
