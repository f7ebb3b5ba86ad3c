using System.Reflection;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>
/// Every time and every number that comes from elsewhere is bounded where it is taken: whatever it is, the node can announce and rotate
/// afterwards, and is frozen for no longer than an operator may freeze it.
/// </summary>
public sealed class ForeignNumbersTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MaxFreeze = TimeSpan.FromDays(1);

    private static readonly long[] Numbers =
        [long.MinValue, -1, 0, 1, AnnouncementSequence.MaxRevision, AnnouncementSequence.MaxRevision + 1, long.MaxValue];

    private static readonly DateTimeOffset[] Times =
    [
        DateTimeOffset.MinValue, DateTimeOffset.UnixEpoch.AddTicks(-1), DateTimeOffset.UnixEpoch,
        TestMesh.Start, TestMesh.Start.AddDays(1), TestMesh.Start.AddYears(9),
        DateTimeOffset.MaxValue,
    ];

    private static readonly TimeSpan[] Durations =
        [TimeSpan.MinValue, TimeSpan.FromTicks(-1), TimeSpan.Zero, TimeSpan.FromTicks(1), MaxFreeze, MaxFreeze
            + TimeSpan.FromTicks(1), TimeSpan.MaxValue];

    // Whatever a call or an answer can carry, and what becomes of it. The test below fails if one is missing here.
    private static readonly Dictionary<string, string> Bounds = new()
    {
        ["Epoch.Value"] = "a sequence's: SequenceBounds.IsPossible; a key's: not after the horizon, and Correct takes none after the next one",
        ["AnnouncementSequence.Revision"] = "SequenceBounds.IsPossible",
        ["Slot.Index"] = "FindMalformation; an answer that names another slot is none",
        ["SlotAnnouncement.ListenPort"] = "FindMalformation: not 0, and every other one is a port",
        ["IPPrefix.Length"] = "FindMalformation: as it would be parsed",
        ["PeerAnnouncement.IssuedAt"] = "decides nothing; signed, shown to people",
        ["PeerAnnouncement.FrozenUntil"] = "NodeGrain.MeetFormerSelf: a day at most; that of others decides nothing",
        ["PeerAnnouncement.Extensions"] = "AnnouncementExtensions.FindFault: 4 KiB at most, of whole entries in order",
        ["PeerAnnouncement.Signature"] = "Identity.Verify: 64 bytes",
        ["ProtocolRange.Min"] = "ProtocolRange.Meets: what is not valid meets nobody, and has no say in what is spoken",
        ["ProtocolRange.Max"] = "the same",
        ["AddressAnnouncement.Signature"] = "Identity.Verify: 64 bytes",
        ["Encapsulation.Protocol"] = "AddressRules.FindMalformation: UDP or IP in IP",
        ["Encapsulation.Port"] = "the same: with UDP not 0, and every other one is a port",
        ["PathReply.AnsweredAt"] = "MeshClock.Note",
        ["AnnouncementReceipt.Outcome"] = "an unknown one is not Applied, so delivery goes on",
        ["Freeze.duration"] = "more than nothing, a day at most",
    };

    private readonly NodeGrainHarness _node = new(2, 3);
    private readonly Identity _former = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Contracts_EveryNumberAndTime_HasABound()
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        Type[] contracts = [typeof(INodeGrain), typeof(INodeKeeper), typeof(IPeerGrain), typeof(IPeerService), typeof(IMeshGrain)];
        foreach (var method in contracts.SelectMany(type => type.GetMethods()))
        {
            foreach (var parameter in method.GetParameters())
            {
                Collect(parameter.ParameterType, $"{method.Name}.{parameter.Name}", found);
            }
        }

        // The answers that a silo itself asks for. The others are shown to people.
        Collect(typeof(AnnouncementReceipt), "", found);
        Collect(typeof(DigestReply), "", found);
        Collect(typeof(PathReply), "", found);
        Assert.Equal(Bounds.Keys.Order(StringComparer.Ordinal), found);
    }

    [Fact]
    public async Task AnnounceAbove_AnySequence_MutesNobody()
    {
        await _node.TurnAsync();
        foreach (var sequence in Sequences())
        {
            await TakenAsync(() => _node.Grain.AnnounceAbove(sequence));
            await AssertGoesOnAsync($"AnnounceAbove {sequence}");
        }
    }

    [Fact]
    public async Task MeetFormerSelf_AnyNumber_MutesAndFreezesNobody()
    {
        await _node.TurnAsync();
        var genuine = _node.Published[^1];
        var forged = Sequences().Select(sequence => genuine with { Sequence = sequence })
            .Concat(Times.Select(time => genuine with { FrozenUntil = time }))
            .Concat(Times.Select(time => genuine with { IssuedAt = time }))
            .Concat(from made in Numbers
                    from serves in Numbers
                    select genuine with
                    {
                        Slots = genuine.Slots.Select(slot => slot with { KeyEpoch = new Epoch(made), ServesEpoch = new Epoch(serves) })
                            .ToEquatableArray(),
                    })
            .Concat([genuine with { Slots = [null!] }, genuine with { Slots = [] }, genuine with { NodeName = TestMesh.Name(2) }]);
        foreach (var announcement in forged)
        {
            // Above what it has announced, where that is not the number in question.
            var next = announcement.Sequence == genuine.Sequence ? announcement with
            {
                Sequence = AnnouncementSequence.Next(
                _node.Published[^1].Sequence, _node.Clock.MeshTime)
            } : announcement;
            _ = _node.Store.OfferFormerSelf(announcement.Slots.Any(slot => slot is null) ? next : _former.Sign(next));
            await TakenAsync(() => _node.Grain.MeetFormerSelf());
            await AssertGoesOnAsync($"MeetFormerSelf {next}");
        }
    }

    [Fact]
    public async Task Freeze_AnyDuration_IsADayAtMost()
    {
        await _node.TurnAsync();
        foreach (var duration in Durations)
        {
            await TakenAsync(() => _node.Grain.Freeze(duration, Token));
            await AssertGoesOnAsync($"Freeze {duration}");
            await _node.Grain.Unfreeze(Token);
        }
    }

    // That of all others: the median is theirs.
    [Fact]
    public async Task GetPath_AnyClockAndSlot_LeavesATimeToRotateBy()
    {
        await _node.TurnAsync();
        foreach (var time in Times)
        {
            foreach (var slot in new[] { Slot.Zero, WithIndex(2), WithIndex(255) })
            {
                _node.Answer = new PathReply(new PathStatus(TestMesh.Name(1), slot, TestMesh.Key(1), IsProven: true), time);
                AddDependentPeer();
                _node.Time.Advance(_node.Rotation.Period);
                await _node.TurnAsync();
                Assert.True(_node.Clock.MeshTime >= DateTimeOffset.UnixEpoch, $"{_node.Clock.MeshTime} after {time}");
                Assert.True(_node.NextTurn > TimeSpan.Zero
                    && _node.NextTurn <= _node.Rotation.Period + TimeSpan.FromSeconds(1), $"{_node.NextTurn} after {time}");
                _node.Snapshot = new AgentSnapshot([], null, 1);
                await AssertGoesOnAsync($"GetPath {time} {slot.Index}");
            }
        }
    }

    public void Dispose()
    {
        _former.Dispose();
        _node.Dispose();
    }

    private static async Task TakenAsync(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (ArgumentException)
        {
            // Refused.
        }
    }

    private IEnumerable<AnnouncementSequence> Sequences() => (from epoch in Numbers
                                                              from revision in Numbers
                                                              select new AnnouncementSequence(new Epoch(epoch), revision)).Concat(
        [
            AnnouncementSequence.At(_node.Clock.Horizon), AnnouncementSequence.At(_node.Clock.Horizon.AddMilliseconds(1)),
            AnnouncementSequence.At(TestMesh.Start.AddDays(1)),
            AnnouncementSequence.At(TestMesh.Start) with { Revision = AnnouncementSequence.MaxRevision },
        ]);

    // Whatever came just now: it announces when it has a reason, and what it announces others take a moment later.
    private async Task AssertGoesOnAsync(string after)
    {
        _node.Time.Advance(TimeSpan.FromMilliseconds(10));
        var call = _node.RotateAsync(Token);
        await _node.TurnAsync();
        var key = await Record.ExceptionAsync(() => call.WaitAsync(Patience, TimeProvider.System, Token)) is { } failure
            ? throw new InvalidOperationException($"It announces nothing any more after {after}.", failure)
            : (await call).NewPublicKey;
        var last = _node.Published[^1];
        Assert.Contains(key, last.Slots.Select(slot => slot.PublicKey));
        Assert.Null(AnnouncementRules.FindFault(last, _node.Clock.Horizon));
        Assert.True(last.Sequence > _node.Published[^2].Sequence
            || !SequenceBounds.IsPossible(_node.Published[^2].Sequence, _node.Clock.Horizon), after);
        Assert.True(!(last.FrozenUntil > _node.Clock.MeshTime + MaxFreeze), $"{after}: frozen until {last.FrozenUntil}");
        var status = await _node.Grain.GetStatus(Token);
        Assert.True(
            !(status.Rotation.FrozenUntil > _node.Clock.MeshTime + MaxFreeze), $"{after}: frozen until {status.Rotation.FrozenUntil}");
        Assert.InRange(status.NextRotationAt - status.TakenAt, -_node.Rotation.Period, _node.Rotation.Period * 2);
    }

    private void AddDependentPeer() => _node.Snapshot = new AgentSnapshot(
        [.. _node.Ring.Keys.Select(key => new DeviceStatus(
            key.Slot,
            "cilium_wg",
            Transport.Uapi,
            key.KeyPair.PublicKey,
            TestMesh.ListenPort,
            1420,
            [new PeerStatus(TestMesh.Name(2), TestMesh.Key(2), null, [TestMesh.PodCIDR(2)], TestMesh.Start, 0, 0, PeerState.Up)]))],
        null,
        1);

    // As a serializer makes it.
    private static Slot WithIndex(byte index)
    {
        object slot = Slot.Zero;
        typeof(Slot).GetField("_index", BindingFlags.Instance | BindingFlags.NonPublic)!.SetValue(slot, index);
        return (Slot)slot;
    }

    private static void Collect(Type type, string name, SortedSet<string> found)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsGenericType)
        {
            foreach (var argument in type.GetGenericArguments())
            {
                Collect(argument, name, found);
            }
        }
        else if ((type.IsPrimitive && type != typeof(bool)) || type.IsEnum
            || type == typeof(TimeSpan) || type == typeof(DateTimeOffset) || type == typeof(decimal))
        {
            _ = found.Add(name);
        }
        else if (type == typeof(PublicKey) || type == typeof(bool))
        {
            // Any 32 bytes are a key, but for zero, and a yes or no has no bounds.
        }
        else if (type.Namespace?.StartsWith("Orleans.WireGuard", StringComparison.Ordinal) == true)
        {
            foreach (var property in type.GetProperties()
                .Where(property => property.GetMethod is { IsStatic: false } && Backs(type, property)))
            {
                Collect(property.PropertyType, $"{type.Name}.{property.Name}", found);
            }
        }
    }

    // Not what is reckoned from the others.
    private static bool Backs(Type type, PropertyInfo property) =>
        type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic).Any(field => field.Name == $"<{property.Name}>k__BackingField")
        || (type == typeof(Slot) && property.Name == nameof(Slot.Index));
}
