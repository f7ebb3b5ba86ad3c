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
        Assert.Equal(2, _protocol.Effective);
        _time.Advance(MeshProtocol.RiseAfter - TimeSpan.FromTicks(1));
        Assert.Equal(2, _protocol.Effective);
        Assert.Empty(_protocol.Extensions);
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(3, _protocol.Effective);
        Assert.NotEmpty(_protocol.Extensions);
    }

    [Fact]
    public void Effective_OneSaysNothing_StaysBelow()
    {
        Say(OwnProtocol.Range, 2);
        _ = _protocol.Effective;
        _time.Advance(MeshProtocol.RiseAfter * 2);
        Assert.Equal(2, _protocol.Effective);
    }

    // It was rolled back: its silo answers, and says nothing.
    [Fact]
    public void Effective_OneIsRolledBack_FallsAtOnce()
    {
        Rise();
        Note(3, null);
        Assert.Equal(2, _protocol.Effective);
        Assert.Empty(_protocol.Extensions);
    }

    [Fact]
    public void Effective_OneFlipsEverySecond_StaysDown()
    {
        Rise();
        for (var second = 0; second < 60; second++)
        {
            Note(3, second % 2 == 0 ? null : OwnProtocol.Range);
            Assert.Equal(2, _protocol.Effective);
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
        _ = _protocol.Effective;
        _time.Advance(MeshProtocol.RiseAfter);
        Assert.InRange(_protocol.Effective, OwnProtocol.Range.Min, OwnProtocol.Range.Max);
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
        Assert.Equal(ProtocolRange.Silent, _protocol.Of(TestMesh.Name(3)));
    }

    [Fact]
    public void Forget_NodeThatIsGone_SaidNothing()
    {
        Say(OwnProtocol.Range, 2);
        _protocol.Forget(static _ => false);
        Assert.Equal(ProtocolRange.Silent, _protocol.Of(TestMesh.Name(2)));
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

    public void Dispose() => _identity.Dispose();

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
        _ = _protocol.Effective;
        _time.Advance(MeshProtocol.RiseAfter);
        Assert.Equal(3, _protocol.Effective);
    }
}
