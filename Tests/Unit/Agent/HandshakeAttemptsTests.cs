using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>
/// A handshake that does not come is tried again with patience, and by the side that starts unless that one sees no reason to.
/// </summary>
public sealed class HandshakeAttemptsTests
{
    private static readonly HandshakePair Pair = new(Slot.Zero, TestMesh.Key(1), TestMesh.Key(2));

    private readonly HandshakeAttempts _attempts = new();

    [Fact]
    public void Start_HandshakeDoesNotCome_ResetsMoreAndMoreSeldom()
    {
        Assert.Equal(
            [6, 18, 42, 90, 150, 210], Enumerable.Range(0, 211).Where(second => _attempts.Start(Pair, HandshakeSession.None, At(second))));
        Assert.Equal(6, _attempts.Retries);
    }

    [Fact]
    public void Start_SessionIsLive_NeverResets()
    {
        Assert.DoesNotContain(Enumerable.Range(0, 211), second => _attempts.Start(Pair, HandshakeSession.Live, At(second)));
        Assert.Equal(0, _attempts.Retries);
    }

    // The first reset belongs to the start and is no retry.
    [Fact]
    public void Start_SessionIsOver_ResetsAtOnceAndThenWithPatience()
    {
        Assert.Equal([0, 6, 18], Enumerable.Range(0, 20).Where(second => _attempts.Start(Pair, HandshakeSession.Over, At(second))));
        Assert.Equal(2, _attempts.Retries);
    }

    [Fact]
    public void Start_PairsAreApart()
    {
        Assert.False(_attempts.Start(Pair, HandshakeSession.None, At(0)));
        Assert.False(_attempts.Start(Pair with { Slot = Slot.One }, HandshakeSession.None, At(6)));
        Assert.True(_attempts.Start(Pair, HandshakeSession.None, At(6)));
    }

    [Fact]
    public void IsStarterLate_SessionWasSeen_IsAfterASecond()
    {
        _attempts.NoteProven(Pair);
        _attempts.NoteWanted(Pair, At(0));
        Assert.Equal([1, 2], Enumerable.Range(0, 3).Where(second => _attempts.IsStarterLate(Pair, At(0), At(second))));
    }

    [Fact]
    public void IsStarterLate_SessionWasNeverSeen_IsAfterWireGuardTriedTwice()
    {
        _attempts.NoteWanted(Pair, At(0));
        Assert.Equal([10, 11], Enumerable.Range(0, 12).Where(second => _attempts.IsStarterLate(Pair, At(0), At(second))));
    }

    [Fact]
    public void IsStarterLate_WaitsFromTheLaterOfPairedAndWanted()
    {
        _attempts.NoteProven(Pair);
        _attempts.NoteWanted(Pair, At(10));
        _attempts.NoteWanted(Pair, At(20));
        Assert.False(_attempts.IsStarterLate(Pair, At(0), At(10)));
        Assert.True(_attempts.IsStarterLate(Pair, At(0), At(11)));
        Assert.False(_attempts.IsStarterLate(Pair, At(11), At(11)));
        Assert.False(_attempts.IsStarterLate(Pair, null, At(100)));
    }

    [Fact]
    public void ForgetUnwanted_PairIsWantedAgain_WaitsFromThen()
    {
        _attempts.NoteProven(Pair);
        _attempts.NoteWanted(Pair, At(0));
        _attempts.ForgetUnwanted(new HashSet<HandshakePair>());
        _attempts.NoteWanted(Pair, At(10));
        Assert.False(_attempts.IsStarterLate(Pair, At(0), At(10)));

        _attempts.ForgetUnwanted(new HashSet<HandshakePair> { Pair });
        _attempts.NoteWanted(Pair, At(11));
        Assert.True(_attempts.IsStarterLate(Pair, At(0), At(11)));
    }

    [Theory]
    [InlineData(1, 2, true)]
    [InlineData(1, 3, false)]
    [InlineData(3, 2, false)]
    public void ForgetExcept_KeyIsNotUsedAnyMore_BeginsAnew(int local, int peer, bool isKept)
    {
        _ = _attempts.Start(Pair, HandshakeSession.None, At(0));
        _attempts.NoteProven(Pair);
        _attempts.ForgetExcept(new HashSet<PublicKey> { TestMesh.Key(local) }, new HashSet<PublicKey> { TestMesh.Key(peer) });
        _attempts.NoteWanted(Pair, At(0));
        Assert.Equal(isKept, _attempts.IsStarterLate(Pair, At(0), At(1)));
        Assert.Equal(isKept, _attempts.Start(Pair, HandshakeSession.None, At(6)));
    }

    private static SteadyTime At(int seconds) => TestMesh.SteadyAt(seconds);
}
