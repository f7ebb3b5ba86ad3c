using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What the NodeGrain does in one turn, and what it leaves to the next.</summary>
public sealed class NodeGrainTests : IDisposable
{
    // Orleans gives up a call after 10 s (SiloDefaults), with an exception that says nothing of devices.
    private static readonly TimeSpan CallPatience = TimeSpan.FromSeconds(7);
    private static readonly TimeSpan CallPatienceAfterFailure = TimeSpan.FromSeconds(2);

    private readonly NodeGrainHarness _node = new();
    private readonly TaskCompletionSource _hangs = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // The key of the other slot was just kept for another epoch, and nobody knows: by what is announced, traffic belongs on the slot that
    // drains.
    [Fact]
    public async Task Turn_AnnouncementIsDue_RetiresNoKeyBeforeItIsAnnounced()
    {
        _node.Time.Advance(_node.Rotation.Period / 2);
        var due = new RotationSchedule(TestMesh.Name(1), _node.Rotation.Period, _node.Rotation.Slots).KeyEpoch(_node.Time.GetUtcNow());
        var kept = _node.AddKey(due.Slot, due.Value - 2, servesEpoch: due.Value);
        var draining = _node.AddKey(new Slot((byte)(1 - due.Slot.Index)), due.Value - 3, servesEpoch: due.Value - 1);
        _node.Time.Advance(_node.Rotation.GracePeriod);

        await _node.TurnAsync();
        Assert.Equal(draining, _node.Ring.Find(draining.Slot));
        Assert.Equal([kept.Slot, draining.Slot], _node.Published.Single().Slots.Select(slot => slot.Slot)
            .OrderByDescending(slot => slot == due.Slot));

        await _node.TurnAsync();
        Assert.Null(_node.Ring.Find(draining.Slot));
        Assert.Equal([kept.Slot], _node.Published[^1].Slots.Select(slot => slot.Slot));
    }

    // For two minutes nothing can be announced, for a reason that every turn has: it is said as a state, and readiness knows it from the
    // first turn on.
    [Fact]
    public async Task Turn_NothingToAnnounce_IsSaidOnceAMinuteAndAtReadiness()
    {
        _node.Roster.Set(NodeRoster.Of([TestMesh.RosterNode(1) with { Addresses = [] }]));
        for (var second = 0; second < 120; second++)
        {
            await _node.TurnAsync();
            Assert.Equal(TimeSpan.FromSeconds(1), _node.NextTurn);
            Assert.Equal(NodeProblemCode.NotAnnounced, _node.Own.Problem?.Code);
            Assert.Contains("has not announced its key yet: The roster lists no address of this node 'node-1'", _node.Own.Problem.ToText(), StringComparison.Ordinal);
            _node.Time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(2, _node.Logs.Lines.Count(line => line.Contains("could not rotate or announce", StringComparison.Ordinal)));
        _node.Roster.Set(TestMesh.Roster(1));
        await _node.TurnAsync();
        Assert.Null(_node.Own.Problem);
        Assert.Single(_node.Published);
        Assert.Single(_node.Logs.Lines, line => line.Contains("rotates and announces again after 120 failures", StringComparison.Ordinal));
    }

    // The announcement that everybody has goes on; a turn or two that fail are nobody's business.
    [Fact]
    public async Task Turn_FailsAfterTheFirstAnnouncement_IsAProblemWhenItLasts()
    {
        await _node.TurnAsync();
        _node.OnReconcile = static _ => Task.FromResult(false);
        _node.Time.Advance(_node.Rotation.Period);
        List<NodeProblem?> problems = [];
        for (var turn = 0; turn < 4; turn++)
        {
            await _node.TurnAsync();
            problems.Add(_node.Own.Problem);
        }

        Assert.Equal([true, true, false, false], problems.Select(problem => problem is null));
        Assert.Equal(NodeProblemCode.TurnsFail, problems[^1]!.Code);
        Assert.StartsWith("cannot rotate or announce: ", problems[^1].ToText(), StringComparison.Ordinal);
    }

    // Made while the clock was far ahead. Others go by what is announced, and a key that is due must not wait for the next epoch because of
    // it.
    [Fact]
    public async Task Turn_KeyOfAnEpochFarAhead_IsAnnouncedAsItIsBeforeTheDueOneIsReplaced()
    {
        _node.Time.Advance(_node.Rotation.Period / 2);
        var due = new RotationSchedule(TestMesh.Name(1), _node.Rotation.Period, _node.Rotation.Slots).KeyEpoch(_node.Time.GetUtcNow());
        var ahead = _node.AddKey(new Slot((byte)(1 - due.Slot.Index)), due.Value + 5, servesEpoch: due.Value + 5);

        await _node.TurnAsync();
        Assert.Null(_node.Ring.Find(due.Slot));
        Assert.Equal(due.Value - 1, _node.Published.Single().Find(ahead.Slot)!.ServesEpoch.Value);
        Assert.InRange(_node.NextTurn, TimeSpan.Zero, _node.Rotation.Period / 40);

        await _node.TurnAsync();
        Assert.Equal(due, _node.Ring.Find(due.Slot)!.ServesEpoch);
    }

    // Its silo was restarted with one slot while ours had a key in the other one only.
    [Fact]
    public async Task Turn_ActivePeerHasNoSlotOfOurs_GetsAKeyThereThatStays()
    {
        using var node = new NodeGrainHarness(2);
        using var identity = new Identity();
        var (due, only) = AddKeyOfDueSlot(node);
        await node.TurnAsync();
        Assert.Equal([due.Slot], node.Published.Single().Slots.Select(slot => slot.Slot));

        Assert.Equal(AnnouncementOutcome.Held, node.Store.Offer(Announced(node, identity, 2, Other(due.Slot))).Outcome);
        await node.TurnAsync();
        var made = node.Ring.Find(Other(due.Slot))!;
        Assert.Equal((due.Value - 1, due.Value - 1), (made.Epoch.Value, made.ServesEpoch.Value));
        Assert.Equal([due.Slot, made.Slot], node.Published[^1].Slots.Select(slot => slot.Slot).OrderByDescending(slot => slot == due.Slot));
        Assert.Equal(only, node.Ring.Find(due.Slot));
        Assert.Equal(0, (await node.Grain.GetStatus(Token)).Rotations);

        // Also while no device shows that the peer uses it.
        node.Time.Advance(node.Rotation.GracePeriod);
        await node.TurnAsync();
        Assert.Equal(made, node.Ring.Find(made.Slot));

        Assert.Equal(AnnouncementOutcome.Held, node.Store.Offer(Announced(node, identity, 2, due.Slot)).Outcome);
        await node.TurnAsync();
        Assert.Null(node.Ring.Find(made.Slot));
    }

    // A silo that is gone needs no key; one that has only just come is not a member yet for this one.
    [Fact]
    public async Task Turn_PeerWithoutASlotOfOursIsNotActive_LooksAgainSoon()
    {
        using var identity = new Identity();
        var (due, _) = AddKeyOfDueSlot(_node);
        await _node.TurnAsync();
        var longWait = _node.NextTurn;
        Assert.Equal(AnnouncementOutcome.Held, _node.Store.Offer(Announced(_node, identity, 2, Other(due.Slot))).Outcome);

        await _node.TurnAsync();
        Assert.Equal([due.Slot], _node.Ring.Keys.Select(key => key.Slot));
        Assert.InRange(_node.NextTurn, TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.True(longWait > TimeSpan.FromSeconds(10), $"{longWait}");
    }

    // By it answers are told that are older than the key.
    [Fact]
    public async Task Turn_NewKeys_AreHeldFromThenOn()
    {
        await _node.TurnAsync();
        var first = SteadyTime.Now(_node.Time);
        Assert.Equal([first, first], _node.Ring.Keys.Select(key => key.HeldSince));

        _node.Time.Advance(TimeSpan.FromSeconds(1));
        _ = await AskedAsync(_node.RotateAsync(Token));
        Assert.Equal([first, SteadyTime.Now(_node.Time)], _node.Ring.Keys.Select(key => key.HeldSince).Order());
    }

    // A pass that takes four seconds, and one that does not end, are together less than each of them may take.
    [Fact]
    public async Task Advance_DevicesHangHalfway_FailsBeforeOrleansGivesUp()
    {
        _node.Time.Advance(_node.Rotation.Period / 2);
        await _node.TurnAsync();
        var slow = TimeSpan.FromSeconds(4);
        _node.OnReconcile = token =>
        {
            _node.OnReconcile = HangAsync;
            return TakesAWhileAsync(slow, token);
        };

        var call = AskedAsync(_node.AdvanceAsync(Token));
        _node.Time.Advance(slow);
        await WithinAsync(_hangs.Task);
        Assert.False(call.IsCompleted);
        _node.Time.Advance(CallPatience - slow);
        Assert.Contains("within 00:00:07: no answer", (await Assert.ThrowsAsync<RotationFailedException>(() => WithinAsync(call))).Message,
            StringComparison.Ordinal);
    }

    // Also the key that a node keeps for the epoch that is due.
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(10)]
    public async Task Rotate_KeyWasKept_MakesOneThatStays(int keptFor)
    {
        var (due, _) = AddKeyOfDueSlot(_node);
        var kept = _node.AddKey(due.Slot, due.Value - keptFor, servesEpoch: due.Value);
        await _node.TurnAsync();

        var receipt = await AskedAsync(_node.RotateAsync(Token));
        Assert.Equal(kept.KeyPair.PublicKey, receipt.OldPublicKey);
        Assert.Equal((due, due), (_node.Published[^1].Find(due.Slot)!.KeyEpoch, _node.Published[^1].Find(due.Slot)!.ServesEpoch));
        for (var turn = 0; turn < 3; turn++)
        {
            await _node.TurnAsync();
            Assert.Equal(receipt.NewPublicKey, _node.Ring.Find(due.Slot)!.KeyPair.PublicKey);
        }
    }

    // It notes what it waits for, and the turns go on without it.
    [Fact]
    public async Task Advance_PeerDependsOnTheKey_WaitsOutsideOfTheTurns()
    {
        using var node = new NodeGrainHarness(2);
        var (_, old) = AddDependentPeer(node);
        var call = node.AdvanceAsync(Token);
        await node.TurnAsync();
        Assert.False(call.IsCompleted);
        Assert.InRange(node.NextTurn, TimeSpan.FromTicks(1), TimeSpan.FromSeconds(3));

        Assert.True(node.Grain.Freeze(TimeSpan.FromHours(1), Token).IsCompletedSuccessfully);
        await node.TurnAsync();
        var refused = await Assert.ThrowsAsync<RotationRefusedException>(() => WithinAsync(call));
        Assert.Equal((RotationRefusalCode.Frozen, "node-1"), (refused.Refusal?.Code, refused.Refusal?.NodeName));
        Assert.Contains("is frozen until", refused.Message, StringComparison.Ordinal);
        Assert.Equal(old, node.Ring.Find(old.Slot));
    }

    [Fact]
    public async Task Advance_PeerStillDependsOnTheKeyAfterAWhile_SaysWhich()
    {
        using var node = new NodeGrainHarness(2);
        var (_, old) = AddDependentPeer(node);
        var call = node.AdvanceAsync(Token);
        await node.TurnAsync();
        node.Time.Advance(TimeSpan.FromSeconds(3));
        await node.TurnAsync();
        Assert.False(call.IsCompleted);
        node.Time.Advance(TimeSpan.FromTicks(1));
        await node.TurnAsync();
        var refused = await Assert.ThrowsAsync<RotationRefusedException>(() => WithinAsync(call));
        Assert.Equal(
            (RotationRefusalCode.PeersDepend, "node-2"), (refused.Refusal?.Code, refused.Refusal?.Problem?.FirstLagging.NodeName));
        Assert.Contains("node-2", refused.Message, StringComparison.Ordinal);
        Assert.Equal(old, node.Ring.Find(old.Slot));
    }

    // The caller is gone, and nobody wants the key any more.
    [Fact]
    public async Task Advance_CallerGivesUp_MakesNoKey()
    {
        using var node = new NodeGrainHarness(2);
        var (_, old) = AddDependentPeer(node);
        using var impatience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var call = node.AdvanceAsync(impatience.Token);
        await node.TurnAsync();
        await impatience.CancelAsync();
        _ = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        node.Snapshot = new AgentSnapshot([], null, 2);
        await node.TurnAsync();
        Assert.Equal(old, node.Ring.Find(old.Slot));
    }

    // It waited for the call before it, or for a turn of the timer that took as long.
    [Fact]
    public async Task Rotate_DevicesHaveJustFailed_FailsSoonUntilTheyRecover()
    {
        await _node.TurnAsync();
        _node.OnReconcile = HangAsync;
        var call = AskedAsync(_node.RotateAsync(Token));
        _node.Time.Advance(_node.Rotation.ApplyTimeout);
        _ = await Assert.ThrowsAsync<RotationFailedException>(() => WithinAsync(call));

        call = AskedAsync(_node.RotateAsync(Token));
        _node.Time.Advance(CallPatienceAfterFailure);
        _ = await Assert.ThrowsAsync<RotationFailedException>(() => WithinAsync(call));

        _node.Snapshot = _node.Snapshot with { CompletedPasses = _node.Snapshot.CompletedPasses + 1 };
        _node.OnReconcile = token => TakesAWhileAsync(CallPatienceAfterFailure * 2, token);
        call = AskedAsync(_node.RotateAsync(Token));
        _node.Time.Advance(CallPatienceAfterFailure * 2);
        Assert.Equal(_node.Published[^1].Sequence, (await WithinAsync(call)).Sequence);
    }

    // The clock was ahead when the former self was noted. Whoever tells of it must not fail for that, or the silo would ask for ever.
    [Fact]
    public async Task MeetFormerSelf_ClockWasSetBackSince_IsNotWaitedFor()
    {
        _node.Time.SetBy = TimeSpan.FromDays(1);
        var former = TestMesh.Announce(1) with { Sequence = AnnouncementSequence.At(_node.Time.GetUtcNow()) };
        Assert.True(_node.Own.NoteFormerSelf(former, _node.Clock.Horizon));
        _node.Time.SetBy = TimeSpan.Zero;

        await _node.Grain.MeetFormerSelf();
        await _node.TurnAsync();
        Assert.True(_node.Published.Single().Sequence < former.Sequence);
    }

    public void Dispose() => _node.Dispose();

    private static async Task<T> WithinAsync<T>(Task<T> task) => await task.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, Token);

    private static Task WithinAsync(Task task) => task.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, Token);

    private async Task<bool> TakesAWhileAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        await Task.Delay(time, _node.Time, cancellationToken);
        return true;
    }

    private async Task<bool> HangAsync(CancellationToken cancellationToken)
    {
        _hangs.TrySetResult();
        await Task.Delay(Timeout.InfiniteTimeSpan, _node.Time, cancellationToken);
        return true;
    }

    // The call notes it and wakes the timer, whose turn does it.
    private Task<RotationReceipt> AskedAsync(Task<RotationReceipt> call)
    {
        Assert.Equal(TimeSpan.Zero, _node.NextTurn);
        _ = _node.TurnAsync();
        return call;
    }

    private static Slot Other(Slot slot) => new((byte)(1 - slot.Index));

    private static (Epoch Due, SlotKey Key) AddKeyOfDueSlot(NodeGrainHarness node)
    {
        node.Time.Advance(node.Rotation.Period / 2);
        var due = new RotationSchedule(TestMesh.Name(1), node.Rotation.Period, node.Rotation.Slots).KeyEpoch(node.Time.GetUtcNow());
        return (due, node.AddKey(due.Slot, due.Value, servesEpoch: due.Value));
    }

    // Both slots have their keys, and node 2, which does not answer, has shaken hands on the one whose turn is the next.
    private static (Epoch Due, SlotKey Key) AddDependentPeer(NodeGrainHarness node)
    {
        var (due, _) = AddKeyOfDueSlot(node);
        var old = node.AddKey(Other(due.Slot), due.Value - 1, due.Value - 1);
        var peer = new PeerStatus(TestMesh.Name(2), TestMesh.Key(2), null, [TestMesh.PodCIDR(2)], TestMesh.Start, 0, 0, PeerState.Up);
        node.Snapshot = new AgentSnapshot(
            [new DeviceStatus(old.Slot, "cilium_wg", Transport.Uapi, old.KeyPair.PublicKey, TestMesh.ListenPort, 1420, [peer])], null, 1);
        return (due, old);
    }

    private static PeerAnnouncement Announced(NodeGrainHarness node, Identity identity, int number, Slot slot)
    {
        var now = node.Time.GetUtcNow();
        var epoch = Epoch.At(now, node.Rotation.Period);
        return identity.Sign(TestMesh.Announce(number) with
        {
            Sequence = new AnnouncementSequence(epoch, now.ToUnixTimeMilliseconds() + slot.Index),
            Slots = [new SlotAnnouncement(slot, TestMesh.Key(number), epoch, TestMesh.ListenPort)],
            IssuedAt = now,
        });
    }
}
