using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>What the silos speak is what all of them know, and nobody can hold it lower than the release before.</summary>
public sealed class MeshProtocolTests : IDisposable
{
    private readonly WaitableTimeProvider _time = new(TestMesh.Start);
    private readonly FakeRosterSource _roster = new(0);
    private readonly Identity _identity = new();
    private readonly AnnouncementStore _store;
    private readonly MeshProtocol _protocol;

    public MeshProtocolTests()
    {
        var membership = new FakeMembership(1, 2, 3);
        _roster.Set(TestMesh.Roster(1, 2, 3));
        _store = TestMesh.Store(_roster, membership, _time);
        _protocol = new MeshProtocol(OwnProtocol.Range, _store, membership.Members, _time);
        Announce(2, 3);
    }

    [Fact]
    public void Effective_AllHaveSaidSo_RisesAfterAWhile()
    {
        Say(OwnProtocol.Range, 2, 3);
        Assert.Equal(2, Effective);
        _time.Advance(MeshProtocol.RiseAfter - TimeSpan.FromTicks(1));
        Assert.Equal(2, Effective);
        Assert.Empty(_protocol.Extensions);
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(4, Effective);
        Assert.NotEmpty(_protocol.Extensions);
    }

    [Fact]
    public void Effective_OneSaysNothing_StaysBelow()
    {
        Say(OwnProtocol.Range, 2);
        _protocol.Follow();
        _time.Advance(MeshProtocol.RiseAfter * 2);
        Assert.Equal(2, Effective);
    }

    // It was rolled back: its silo answers, and says nothing.
    [Fact]
    public void Effective_OneIsRolledBack_FallsAtOnce()
    {
        Rise();
        Note(3, null);
        Assert.Equal(2, Effective);
        Assert.Empty(_protocol.Extensions);
    }

    [Fact]
    public void Effective_OneFlipsEverySecond_StaysDown()
    {
        Rise();
        for (var second = 0; second < 60; second++)
        {
            Note(3, second % 2 == 0 ? null : OwnProtocol.Range);
            Assert.Equal(2, Effective);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
    }

    // None of them is below the release before ours, and a range that nobody can have counts as none.
    [Theory]
    [InlineData(1, 1)]
    [InlineData(99, 99)]
    [InlineData(3, 2)]
    [InlineData(0, 255)]
    public void Effective_OneSaysWhatCannotBe_IsNotBelowTheReleaseBefore(int min, int max)
    {
        Say(OwnProtocol.Range, 2);
        Note(3, new ProtocolRange(min, max));
        _protocol.Follow();
        _time.Advance(MeshProtocol.RiseAfter);
        Assert.InRange(Effective, OwnProtocol.Range.Min, OwnProtocol.Range.Max);
    }

    // A silo that has just started has asked nobody yet; what it holds of others tells as much.
    [Fact]
    public void Of_NothingSaid_GoesByTheAnnouncement()
    {
        var block = AnnouncementExtensions.Build(
            (AnnouncementExtensions.ProtocolEntry, AnnouncementExtensions.EncodeProtocol(new ProtocolRange(3, 4), "1.0")));
        var announced = TestMesh.Announce(2, revision: 5) with { Extensions = block };
        Assert.True(_store.Offer(_identity.Sign(announced)).IsTaken);
        Assert.Equal(new ProtocolRange(3, 4), _protocol.Of(TestMesh.Name(2)));
        Assert.Null(_protocol.Of(TestMesh.Name(3)));
    }

    [Fact]
    public void Forget_NodeThatIsGone_SaidNothing()
    {
        Say(OwnProtocol.Range, 2);
        _protocol.Forget(static _ => false);
        Assert.Null(_protocol.Of(TestMesh.Name(2)));
    }

    // A former silo said what it speaks; what the new one speaks is another question.
    [Fact]
    public void Of_AnotherSiloOfTheNode_HasSaidNothing()
    {
        Say(OwnProtocol.Range, 2);
        Assert.Equal(OwnProtocol.Range, _protocol.Of(FakeMembership.Silo(2), TestMesh.Name(2)));
        Assert.Null(_protocol.Of(FakeMembership.Silo(3), TestMesh.Name(2)));
        Note(2, null);
        Assert.Equal(ProtocolRange.Silent, _protocol.Of(FakeMembership.Silo(2), TestMesh.Name(2)));
    }

    [Fact]
    public void FindMisfit_NobodyCanSpeakWithIt_NamesTheOldestAndWhatToDo()
    {
        Note(2, new ProtocolRange(1, 1), "0.0.1");
        Assert.Null(_protocol.FindMisfit());
        Note(3, new ProtocolRange(5, 6), "9.9");
        var misfit = _protocol.FindMisfit();
        Assert.Contains($"this silo, version {OwnProtocol.Version}, speaks protocol {OwnProtocol.Range}", misfit, StringComparison.Ordinal);
        Assert.Contains("the oldest, on 'node-2', is version 0.0.1 and speaks 1;", misfit, StringComparison.Ordinal);
        Assert.Contains("roll out the releases between the two first", misfit, StringComparison.Ordinal);
    }

    // Whoever says what cannot be keeps nobody from starting while others say what can.
    [Theory]
    [InlineData(99, 99)]
    [InlineData(3, 2)]
    public void FindMisfit_OneOfTwoSaysWhatCannotBe_StaysInTheMesh(int min, int max)
    {
        Note(2, new ProtocolRange(min, max));
        Say(OwnProtocol.Range, 3);
        Assert.Null(_protocol.FindMisfit());
    }

    // In the middle of another roll-out: the one that it could speak with is the exception there.
    [Fact]
    public void FindMisfit_FewSpeakWithIt_IsOne()
    {
        var membership = new FakeMembership(1, 2, 3, 4);
        var afterNext = new MeshProtocol(new ProtocolRange(4, 5), _store, membership.Members, _time);
        afterNext.Note(FakeMembership.Silo(2), TestMesh.Name(2), new ProtocolRange(3, 4));
        afterNext.Note(FakeMembership.Silo(3), TestMesh.Name(3), new ProtocolRange(2, 3));
        Assert.Null(afterNext.FindMisfit());
        afterNext.Note(FakeMembership.Silo(4), TestMesh.Name(4), null);
        Assert.Contains("on 'node-4', is version unknown and speaks 2;", afterNext.FindMisfit(), StringComparison.Ordinal);
    }

    // Of whom nothing is known yet, the least is taken: it may be of the release before, which can only say so when it is asked.
    [Fact]
    public void Effective_NothingIsKnownOfOne_IsTheLowestOfItsOwn()
    {
        var next = new MeshProtocol(new ProtocolRange(3, 4), _store, new FakeMembership(1, 2, 3).Members, _time);
        next.Note(FakeMembership.Silo(2), TestMesh.Name(2), new ProtocolRange(3, 4));
        next.Follow();
        _time.Advance(MeshProtocol.RiseAfter * 2);
        next.Follow();
        Assert.Equal(3, next.Effective);
        next.Note(FakeMembership.Silo(3), TestMesh.Name(3), new ProtocolRange(3, 4));
        next.Follow();
        _time.Advance(MeshProtocol.RiseAfter);
        next.Follow();
        Assert.Equal(4, next.Effective);
    }

    // It is printed, and travels in every status.
    [Fact]
    public void VersionOf_LongOrStrange_IsBounded()
    {
        Note(2, OwnProtocol.Range, "1.0\u001b[2J" + new string('x', 1_000_000));
        Assert.InRange(_protocol.VersionOf(TestMesh.Name(2))!.Length, 1, 200);
        Assert.DoesNotContain('\u001b', _protocol.VersionOf(TestMesh.Name(2))!);
    }

    public void Dispose() => _identity.Dispose();

    private int Effective
    {
        get
        {
            _protocol.Follow();
            return _protocol.Effective;
        }
    }

    private void Announce(params int[] nodes)
    {
        foreach (var node in nodes)
        {
            Assert.True(_store.Offer(_identity.Sign(TestMesh.Announce(node))).IsTaken);
        }
    }

    private void Note(int node, ProtocolRange? range, string? version = null) =>
        _protocol.Note(FakeMembership.Silo(node), TestMesh.Name(node), range, version);

    private void Say(ProtocolRange range, params int[] nodes) => nodes.ToList().ForEach(node => Note(node, range));

    private void Rise()
    {
        Say(OwnProtocol.Range, 2, 3);
        _protocol.Follow();
        _time.Advance(MeshProtocol.RiseAfter);
        Assert.Equal(4, Effective);
    }
}
