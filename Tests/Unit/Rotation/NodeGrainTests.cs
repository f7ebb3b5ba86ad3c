using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What the NodeGrain does in one turn, and what it leaves to the next.</summary>
public sealed class NodeGrainTests : IDisposable
{
    private readonly NodeGrainHarness _node = new();

    // The key of the other slot was just kept for another epoch, and nobody knows: by what is announced, traffic belongs on the slot that drains.
    [Fact]
    public async Task Turn_AnnouncementIsDue_RetiresNoKeyBeforeItIsAnnounced()
    {
        _node.Time.Advance(_node.Rotation.Period / 2);
        var due = new RotationSchedule(TestMesh.Name(1), _node.Rotation.Period, _node.Rotation.Slots).KeyEpoch(_node.Time.GetUtcNow());
        var kept = _node.AddKey(due.Slot, due.Value - 2, servesEpoch: due.Value);
        var draining = _node.AddKey(new Slot((byte)(1 - due.Slot.Index)), due.Value - 3, servesEpoch: due.Value - 1);
        _node.Time.Advance(_node.Rotation.GracePeriod);

        await _node.Turn();
        Assert.Equal(draining, _node.Ring.Find(draining.Slot));
        Assert.Equal([kept.Slot, draining.Slot], _node.Published.Single().Slots.Select(slot => slot.Slot).OrderByDescending(slot => slot == due.Slot));

        await _node.Turn();
        Assert.Null(_node.Ring.Find(draining.Slot));
        Assert.Equal([kept.Slot], _node.Published[^1].Slots.Select(slot => slot.Slot));
    }

    // By it answers are told that are older than the key.
    [Fact]
    public async Task Turn_NewKeys_AreHeldFromThenOn()
    {
        await _node.Turn();
        var first = _node.Time.GetTimestamp();
        Assert.Equal([first, first], _node.Ring.Keys.Select(key => key.HeldSince));

        _node.Time.Advance(TimeSpan.FromSeconds(1));
        _ = await _node.Grain.Rotate(TestContext.Current.CancellationToken);
        Assert.Equal([first, _node.Time.GetTimestamp()], _node.Ring.Keys.Select(key => key.HeldSince).Order());
    }

    public void Dispose() => _node.Dispose();
}
