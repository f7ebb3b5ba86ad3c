using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>What is believed of a way, look by look; each has what the routers answered to the packet of the one before.</summary>
public sealed class PathProbingTests
{
    private const int Link = 1500;
    private const int Forgotten = Link;

    private readonly FakeTimeProvider _time = new();
    private PathProbing? _probing;

    [Fact]
    public void After_RouterSaysLess_IsBelievedAtTheNextLook() => Assert.Equal(
        [(1500, 1500), (1400, 1400), (1400, null)], Looks(Link, 1400, 1400));

    // Of 1400 and 1300 one after the other, the first answers for 1500 and the second for 1400.
    [Fact]
    public void After_TwoNarrowLinks_FindsBoth() => Assert.Equal(
        [(1500, 1500), (1400, 1400), (1300, 1300), (1300, null)], Looks(Link, 1400, 1300, 1300));

    // The kernel forgets a router's answer after ten minutes: a packet, and no other MTU.
    [Fact]
    public void After_AnswerIsForgotten_AsksBeforeItBelievesMore() => Assert.Equal(
        [(1500, 1500), (1400, 1400), (1400, null), (1400, 1500), (1400, 1400)], Looks(Link, 1400, 1400, Forgotten, 1400));

    // One packet or its answer may be lost.
    [Fact]
    public void After_WayHasGrown_IsBelievedWhenNobodyObjectsThreeTimes() => Assert.Equal(
        [(1500, 1500), (1400, 1400), (1400, 1500), (1400, 1500), (1400, 1500), (1500, null)], Looks(Link, 1400, Link, Link, Link, Link));

    [Fact]
    public void After_SomebodyObjectsMeanwhile_BeginsAnew() => Assert.Equal(
        [(1500, 1500), (1400, 1400), (1400, 1500), (1400, 1500), (1400, 1400), (1400, 1500), (1400, 1500), (1400, 1500)],
        Looks(Link, 1400, Link, Link, 1400, Link, Link, Link));

    // Any news of the kernel may bring the next look a millisecond after the packet.
    [Fact]
    public void After_LooksInTheSameMoment_AskOnceAndBelieveNothing()
    {
        Looks(Link, 1400, Forgotten);
        for (var i = 0; i < 5; i++)
        {
            _probing = PathProbing.After(_probing, new LinkPath(2, Forgotten, Link), _probing!.AskedAt);
            Assert.Equal((1400, null), (_probing.Mtu, _probing.Wanted));
        }

        Assert.Equal([(1400, 1400)], Looks(1400));
    }

    [Fact]
    public void After_LinkIsAnother_IsBelievedAtOnce()
    {
        Looks(Link, 1400);
        var other = PathProbing.After(_probing, new LinkPath(3, 1500, 1500), SteadyTime.Now(_time));
        Assert.Equal((1500, 1500), (other.Mtu, other.Wanted));
        var wider = PathProbing.After(_probing, new LinkPath(2, 9000, 9000), SteadyTime.Now(_time));
        Assert.Equal((9000, 9000), (wider.Mtu, wider.Wanted));
    }

    [Fact]
    public void After_Interval_AsksAgainForWhatItBelieves()
    {
        Looks(Link, 1400, 1400);
        _time.Advance(PathProbing.Interval);
        Assert.Equal([(1400, 1400), (1400, null)], Looks(1400, 1400));
    }

    [Theory]
    [InlineData(1500, null, false, 1500)]
    [InlineData(1500, 1400, true, 1400)]
    [InlineData(1500, 552, true, 1280)]
    [InlineData(1500, 1000, false, 1000)]
    [InlineData(1200, 552, true, 1200)]
    [InlineData(1500, 9000, false, 1500)]
    public void Of_RoutersAreBelievedDownTo1280(int link, int? route, bool isLearned, int carried) =>
        Assert.Equal(new LinkPath(2, carried, link), LinkPath.Of(2, link, route, isLearned));

    private List<(int Mtu, int? Wanted)> Looks(params int[] read)
    {
        List<(int, int?)> seen = [];
        foreach (var mtu in read)
        {
            _probing = PathProbing.After(_probing, new LinkPath(2, mtu, Link), SteadyTime.Now(_time));
            seen.Add((_probing.Mtu, _probing.Wanted));
            _time.Advance(PathProbing.Answer);
        }

        return seen;
    }
}
