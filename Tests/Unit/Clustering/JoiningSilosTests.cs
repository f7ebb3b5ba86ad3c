using System.Net;
using Orleans.WireGuard.Silo.Clustering;

namespace Orleans.WireGuard.Tests.Unit.Clustering;

/// <summary>Silos that start are left in peace, for as long as a start may take.</summary>
public sealed class JoiningSilosTests
{
    private const long Patience = 100;

    private static readonly SiloAddress Own = Silo(1);

    private readonly JoiningSilos _silos = new(Patience);

    [Theory]
    [InlineData(SiloStatus.Joining, SiloStatus.Created)]
    [InlineData(SiloStatus.Created, SiloStatus.Created)]
    [InlineData(SiloStatus.Active, SiloStatus.Active)]
    [InlineData(SiloStatus.ShuttingDown, SiloStatus.ShuttingDown)]
    [InlineData(SiloStatus.Stopping, SiloStatus.Stopping)]
    [InlineData(SiloStatus.Dead, SiloStatus.Dead)]
    public void Spare_OfEachStatus_HidesOnlyThatSomebodyElseJoins(SiloStatus status, SiloStatus shown)
    {
        Assert.Equal((shown, status), Show(now: 0, status));
    }

    [Fact]
    public void Spare_JoinsLongerThanAStartMayTake_IsShownAsItIs()
    {
        Assert.Equal(SiloStatus.Created, Show(now: 5, SiloStatus.Joining).Other);
        Assert.Equal(SiloStatus.Created, Show(now: 5 + Patience - 1, SiloStatus.Joining).Other);
        Assert.Equal(SiloStatus.Joining, Show(now: 5 + Patience, SiloStatus.Joining).Other);
        Assert.Equal(SiloStatus.Joining, Show(now: 5 + Patience + 1, SiloStatus.Joining).Other);
    }

    // A row that went and came is another start.
    [Fact]
    public void Spare_RowWasGoneMeanwhile_BeginsAfresh()
    {
        _ = Show(now: 0, SiloStatus.Joining);
        _ = Show(now: Patience, SiloStatus.Dead);
        Assert.Equal(SiloStatus.Created, Show(now: Patience + 1, SiloStatus.Joining).Other);
    }

    // A vote takes the row as it was shown.
    [Fact]
    public void Restore_OfARowThatWasChanged_IsWhatItsSiloWrote()
    {
        _ = Show(now: 0, SiloStatus.Joining);
        Assert.Equal(SiloStatus.Joining, Restored(2, SiloStatus.Created));
        Assert.Equal(SiloStatus.Dead, Restored(2, SiloStatus.Dead));
        Assert.Equal(SiloStatus.Created, Restored(3, SiloStatus.Created));
        Assert.Equal(SiloStatus.Active, Restored(1, SiloStatus.Active));
    }

    private SiloStatus Restored(int silo, SiloStatus status)
    {
        var row = new MembershipEntry { SiloAddress = Silo(silo), Status = status };
        _silos.Restore(row);
        return row.Status;
    }

    private (SiloStatus Other, SiloStatus Own) Show(long now, SiloStatus status)
    {
        MembershipEntry[] rows = [new() { SiloAddress = Silo(2), Status = status }, new() { SiloAddress = Own, Status = status }];
        _silos.Spare(rows, Own, now);
        return (rows[0].Status, rows[1].Status);
    }

    private static SiloAddress Silo(int number) => SiloAddress.New(IPAddress.Loopback, 11_110 + number, 1);
}
