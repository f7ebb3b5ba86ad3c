using CsCheck;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Findings;

public sealed class BlindSpotsTests
{
    private const int Index = 7;

    private readonly WaitableTimeProvider _time = new(TestMesh.Start);
    private readonly BlindSpots _spots = new();
    private (long Packets, long Bytes) _sent = (5_000, 9_000_000);
    private (long Packets, long Bytes) _seen = (4, 300);

    [Fact]
    public void Note_WhatAFormerProcessCounted_TellsNothing()
    {
        Note(packets: 0, bytes: 0);
        Assert.Empty(_spots.Current);
        Pass(packets: 200, size: 1000, seen: true);
        Assert.Empty(_spots.Current);
    }

    [Theory]
    [InlineData(0, 98)]
    [InlineData(0, 1400)]
    [InlineData(1, 1400)]
    [InlineData(2, 1400)]
    public void Note_PacketsThatNetfilterDoesNotSee_AreABlindSpot(int kind, int size)
    {
        Note(packets: 0, bytes: 0, (LinkCounting)kind);
        Pass(packets: 60, size, seen: false, (LinkCounting)kind);
        Pass(packets: 60, size, seen: false, (LinkCounting)kind);
        Assert.Empty(_spots.Current);
        Pass(packets: 100, size, seen: false, (LinkCounting)kind);
        Assert.Equal(
            new BlindSpot("link", (LinkCounting)kind == LinkCounting.Device, SentBytes: 100 * size, SeenBytes: 0), Assert.Single(
                _spots.Current));
    }

    // Pings among what the silos tell each other.
    [Fact]
    public void Note_MostSmallPacketsAreUnseen_IsABlindSpot()
    {
        Note(packets: 0, bytes: 0);
        for (var i = 0; i < 2; i++)
        {
            Pass(packets: 90, size: 98, seen: false);
            Pass(packets: 60, size: 130, seen: true);
        }

        Assert.Single(_spots.Current);
    }

    // What members of a bond send for themselves, by which it finds out that they are alive.
    [Fact]
    public void Note_SmallPacketsOfMembersOfABond_AreNone()
    {
        Note(packets: 0, bytes: 0, LinkCounting.Rough);
        Pass(packets: 200, size: 124, seen: false, LinkCounting.Rough);
        Pass(packets: 200, size: 124, seen: false, LinkCounting.Rough);
        Assert.Empty(_spots.Current);
        Note(packets: 0, bytes: 0, LinkCounting.Rough);
        Assert.Empty(_spots.Current);
    }

    // A card that tells its counts a second late: what was sent before the window is in it.
    [Fact]
    public void Note_CountsThatComeLate_AreNone()
    {
        Note(packets: 0, bytes: 0);
        Pass(packets: 5000, size: 1000, seen: false);
        Assert.Empty(_spots.Current);
        Pass(packets: 200, size: 1000, seen: true);
        Pass(packets: 5000, size: 1000, seen: false);
        Assert.Empty(_spots.Current);
    }

    [Fact]
    public void Note_NoTraffic_LeavesWhatWasToldUntilMoreTellsOtherwise()
    {
        Note(packets: 0, bytes: 0);
        Pass(packets: 200, size: 1000, seen: false);
        Pass(packets: 200, size: 1000, seen: false);
        Pass(packets: 0, size: 0, seen: true);
        Pass(packets: 50, size: 1000, seen: true);
        Pass(packets: 50, size: 1000, seen: true);
        Assert.Single(_spots.Current);
        Pass(packets: 100, size: 1000, seen: true);
        Assert.Empty(_spots.Current);
    }

    [Fact]
    public void ForgetExcept_NothingWasSentForLong_IsForgotten()
    {
        Note(packets: 0, bytes: 0);
        Pass(packets: 200, size: 1000, seen: false);
        Pass(packets: 200, size: 1000, seen: false);
        _time.Advance(BlindSpots.Lifetime);
        _spots.ForgetExcept(new HashSet<int> { Index }, SteadyTime.Now(_time));
        Assert.Single(_spots.Current);
        _time.Advance(TimeSpan.FromSeconds(1));
        _spots.ForgetExcept(new HashSet<int> { Index }, SteadyTime.Now(_time));
        Assert.Empty(_spots.Current);
    }

    // A fifth of what leaves, beside tunnels and storage.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Note_SomeLargePacketsAreUnseen_AreABlindSpot(int kind)
    {
        Note(packets: 0, bytes: 0, (LinkCounting)kind);
        for (var i = 0; i < 2; i++)
        {
            _seen = (_seen.Packets + 800, _seen.Bytes + (800 * 1400));
            Note(1000, 1000 * 1400, (LinkCounting)kind);
        }

        Assert.Single(_spots.Current);
    }

    // ARP of a link that carries nothing else, by a card that counts padding, checksum and tag.
    [Fact]
    public void Note_PaddedFrames_AreNone()
    {
        Note(packets: 0, bytes: 0);
        for (var i = 0; i < 3; i++)
        {
            _seen = (_seen.Packets + 200, _seen.Bytes + (200 * 42));
            Note(200, 200 * 68);
        }

        Assert.Empty(_spots.Current);
    }

    // Looks follow each other within a second while the kernel has news, and a card's counts fall behind.
    [Fact]
    public void Note_ManyShortWindows_AreOne()
    {
        Note(packets: 0, bytes: 0);
        for (var i = 0; i < 5; i++)
        {
            _sent = (_sent.Packets + 200, _sent.Bytes + 200_000);
            _time.Advance(TimeSpan.FromSeconds(1));
            _spots.Note("link", LinkCounting.Exact, new LinkTraffic(
                0, _sent.Packets, _sent.Bytes), new LinkCount(Index, (ulong)_seen.Packets, (ulong)_seen.Bytes), SteadyTime.Now(_time));
        }

        Assert.Empty(_spots.Current);
    }

    // A thousand peers that are kept alive, and no pod that talks.
    [Fact]
    public void Note_HandshakesAndKeepalivesOfADevice_AreNone()
    {
        Note(packets: 0, bytes: 0, LinkCounting.Device);
        Note(packets: 100_000, bytes: 100_000 * 32, LinkCounting.Device);
        Note(packets: 10_000, bytes: 10_000 * 148, LinkCounting.Device);
        Assert.Empty(_spots.Current);
    }

    // The table was made anew, so what netfilter saw begins at zero and may be above what it was before by the next time.
    [Fact]
    public void Restart_CountersOfNetfilterBeganAnew_AreABeginning()
    {
        Note(packets: 0, bytes: 0);
        for (var i = 0; i < 3; i++)
        {
            _spots.Restart();
            _seen = (5, 400);
            Pass(packets: 1000, size: 1000, seen: false);
            Assert.Empty(_spots.Current);
        }

        Pass(packets: 1000, size: 1000, seen: true);
        Assert.Empty(_spots.Current);
    }

    [Fact]
    public void ForgetExcept_LinkIsGone_IsForgotten()
    {
        Note(packets: 0, bytes: 0);
        Pass(packets: 1000, size: 1000, seen: false);
        Pass(packets: 1000, size: 1000, seen: false);
        _spots.ForgetExcept(new HashSet<int> { Index }, SteadyTime.Now(_time));
        Assert.Single(_spots.Current);
        _spots.ForgetExcept(new HashSet<int>(), SteadyTime.Now(_time));
        Assert.Empty(_spots.Current);
    }

    // Whatever a link makes of what netfilter saw: cuts it into segments, pads it, encrypts it, adds keepalives.
    [Fact]
    public void Note_EverythingIsSeen_IsNeverABlindSpot() =>
        Gen.Select(Gen.Int[60, 65_000], Gen.Int[536, 1500], Gen.Int[0, 156], Gen.Int[1, 5000], Gen.Int[0, 2], Gen.Int[0, 5000])
            .Sample((size, segment, overhead, count, which, alive) =>
        {
            var (spots, kind) = (new BlindSpots(), (LinkCounting)which);
            long segments = (size + segment - 1) / segment;

            // A link adds headers to each segment but the first, a device to each; a small packet is padded, and has a checksum at its end.
            var (packets, bytes) = kind switch
            {
                LinkCounting.Exact => (segments * count, (size + ((segments - 1) * Math.Min(overhead, segment / 5)) + 8L) * count),
                LinkCounting.Rough =>
                    ((segments * count) + alive, ((size + ((segments - 1) * overhead)) * count) + (alive * 148L)),
                _ => ((segments * count) + alive, ((size + (segments * overhead)) * count) + (alive * 148L)),
            };
            for (var i = 0; i < 4; i++)
            {
                var now = default(SteadyTime) + (BlindSpots.Window * i);
                spots.Note("link", kind, new LinkTraffic(
                    0, packets * i, bytes * i), new LinkCount(Index, (ulong)((long)count * i), (ulong)((long)size * count * i)), now);
            }

            return spots.Current.Count == 0;
        });

    private void Pass(int packets, int size, bool seen, LinkCounting kind = LinkCounting.Exact)
    {
        if (seen)
        {
            _seen = (_seen.Packets + packets, _seen.Bytes + ((long)packets * size));
        }

        Note(packets, (long)packets * size, kind);
    }

    private void Note(long packets, long bytes, LinkCounting kind = LinkCounting.Exact)
    {
        _sent = (_sent.Packets + packets, _sent.Bytes + bytes);
        _time.Advance(BlindSpots.Window);
        _spots.Note("link", kind, new LinkTraffic(
            0, _sent.Packets, _sent.Bytes), new LinkCount(Index, (ulong)_seen.Packets, (ulong)_seen.Bytes), SteadyTime.Now(_time));
    }
}
