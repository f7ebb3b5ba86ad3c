using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>Whom a silo asks what time it is, how often, and for how long it waits.</summary>
public sealed class ClockSurveyTests
{
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(1);

    private readonly WaitableTimeProvider _time = new(TestMesh.Start);
    private readonly FakeMembership _membership = new(5);
    private readonly List<SiloAddress> _asked = [];
    private readonly MeshClock _clock;
    private readonly ClockSurvey _survey;
    private Func<Task<PathReply>?> _answer;

    public ClockSurveyTests()
    {
        _clock = new MeshClock(_time, TimeSpan.FromSeconds(120));
        _answer = () => Task.FromResult(new PathReply(null, _time.GetUtcNow()));
        var client = Stub.Of<IPeerServiceClient>((_, arguments) =>
        {
            _asked.Add((SiloAddress)arguments[0]!);
            return _answer();
        });
        var store = TestMesh.Store(new FakeRosterSource(0), _membership, _time);
        _survey = new ClockSurvey(
            _membership.Members, client, _clock, new MeshProtocol(OwnProtocol.Range, store, _membership.Members, _time), _time);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // Each round of anti-entropy asks, and mostly there is nothing to ask.
    [Fact]
    public async Task Ask_EnoughAreKnown_AsksNobodyUntilTheyGetOld()
    {
        _membership.Set(5, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11);
        await _survey.AskAsync(AttemptTimeout);
        Assert.Equal(8, _asked.Distinct().Count());
        Assert.Equal([.. new[] { 6, 7, 8, 9 }.Select(FakeMembership.Silo)], _asked.Where(silo => _asked.IndexOf(silo) < 4));
        await _survey.AskAsync(AttemptTimeout);
        Assert.Equal(8, _asked.Count);

        _time.Advance(TimeSpan.FromMinutes(16));
        await _survey.AskAsync(AttemptTimeout);
        Assert.Equal(16, _asked.Count);
    }

    // A rack in which no machine has a battery for its clock.
    [Fact]
    public async Task Ask_EightClocksCannotBeRight_AsksTheNinth()
    {
        _membership.Set(5, 1, 2, 3, 4, 6, 7, 8, 9, 10);
        var asked = 0;
        _answer = () => Task.FromResult(new PathReply(null, ++asked <= 8 ? DateTimeOffset.UnixEpoch.AddMinutes(asked) : _time.GetUtcNow()));
        await _survey.AskAsync(AttemptTimeout);
        await _survey.AskAsync(AttemptTimeout);
        Assert.Equal(9, _asked.Distinct().Count());
        Assert.Equal(1, _clock.FindFresh().Count(clock => clock.Value));
    }

    [Fact]
    public async Task Ask_EightDoNotAnswer_AsksTheNinthNext()
    {
        _membership.Set(5, 1, 2, 3, 4, 6, 7, 8, 9, 10);
        _answer = () => Task.FromException<PathReply>(new TimeoutException());
        await _survey.AskAsync(AttemptTimeout);
        var first = _asked.ToHashSet();
        _time.Advance(TimeSpan.FromSeconds(1));
        await _survey.AskAsync(AttemptTimeout);
        Assert.DoesNotContain(_asked[8], first);
    }

    // Whoever starts alone learns the time when somebody comes.
    [Fact]
    public async Task AskFirst_NobodyIsThere_WaitsForNothingAndAsksLater()
    {
        _membership.Set(5);
        await _survey.AskFirstAsync(AttemptTimeout);
        Assert.Empty(_asked);
        _membership.Set(5, 2);
        await _survey.AskFirstAsync(AttemptTimeout);
        Assert.Equal([FakeMembership.Silo(2)], _asked);
        Assert.Single(_clock.Skews);

        // Only the first time: an announcement must not wait because somebody new is slow.
        _membership.Set(5, 2, 3);
        await _survey.AskFirstAsync(AttemptTimeout);
        Assert.Single(_asked);
    }

    [Fact]
    public async Task AskFirst_PeersAreSlow_GoesOnWithoutThemAfterOneAttempt()
    {
        _membership.Set(5, 2, 3);
        _answer = () => new TaskCompletionSource<PathReply>().Task;
        var first = _survey.AskFirstAsync(AttemptTimeout);

        // Who comes meanwhile waits for the same.
        var second = _survey.AskAsync(AttemptTimeout);
        Assert.Equal(2, _asked.Count);
        Assert.False(first.IsCompleted || second.IsCompleted);
        _time.Advance(AttemptTimeout);
        await Task.WhenAll(first, second).WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, Token);
        Assert.Empty(_clock.Skews);

        _answer = () => Task.FromResult(new PathReply(null, _time.GetUtcNow()));
        await _survey.AskAsync(AttemptTimeout);
        Assert.Equal(2, _clock.Skews.Count);
    }

    [Fact]
    public async Task Ask_PeersFail_NeitherThrowsNorNotes()
    {
        _membership.Set(5, 2, 3);
        _answer = () => throw new InvalidOperationException("no");
        await _survey.AskAsync(AttemptTimeout);
        _answer = () => Task.FromException<PathReply>(new TimeoutException());
        await _survey.AskAsync(AttemptTimeout);
        Assert.Equal(4, _asked.Count);
        Assert.Empty(_clock.Skews);
    }
}
