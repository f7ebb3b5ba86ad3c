using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Findings;

public sealed class ClearTrafficTests
{
    private readonly WaitableTimeProvider _time = new(TestMesh.Start);
    private readonly ClearTraffic _clear = new();

    [Fact]
    public void Recent_WhatAFormerProcessCounted_IsNotOurs()
    {
        Note(new WitnessCounts(Clear: 7, ArrivedClear: 8), isFirst: true);
        Assert.Equal((0ul, 0ul), _clear.Recent);
        Note(new WitnessCounts(Clear: 9, ClearEncapsulated: 1, ArrivedClear: 8));
        Assert.Equal((3ul, 0ul), _clear.Recent);
    }

    [Fact]
    public void Recent_AfterAMinute_IsOver()
    {
        Note(new WitnessCounts(), isFirst: true);
        Note(new WitnessCounts(Clear: 2));
        _time.Advance(TimeSpan.FromSeconds(30));
        Note(new WitnessCounts(Clear: 3));
        Assert.Equal((3ul, 0ul), _clear.Recent);
        _time.Advance(TimeSpan.FromSeconds(31));
        Note(new WitnessCounts(Clear: 3));
        Assert.Equal((1ul, 0ul), _clear.Recent);
        _time.Advance(TimeSpan.FromSeconds(31));
        Note(new WitnessCounts(Clear: 3));
        Assert.Equal((0ul, 0ul), _clear.Recent);
    }

    [Fact]
    public void Recent_CountersStartAgain_CountsFromZero()
    {
        Note(new WitnessCounts(Clear: 100), isFirst: true);
        Note(new WitnessCounts(Clear: 4));
        Assert.Equal((4ul, 0ul), _clear.Recent);
    }

    private void Note(WitnessCounts counts, bool isFirst = false) => _clear.Note(counts, isFirst, SteadyTime.Now(_time));
}
