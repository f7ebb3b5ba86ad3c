using CsCheck;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Interfaces;

/// <summary>Epochs cut time without a gap, and every node cuts it in the same places.</summary>
public sealed class EpochTests
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(120);

    [Theory]
    [InlineData("1970-01-01T00:00:00Z", 0)]
    [InlineData("1970-01-01T00:01:59.9999999Z", 0)]
    [InlineData("1970-01-01T00:02:00Z", 1)]
    [InlineData("2026-01-01T00:00:00Z", 14_726_880)]
    [InlineData("2026-01-01T01:00:00+01:00", 14_726_880)]
    public void At_Golden_IsWholePeriodsSince1970(string time, long expected) =>
        Assert.Equal(expected, Epoch.At(DateTimeOffset.Parse(time, null), Period).Value);

    [Fact]
    public void Start_Golden_IsItsFirstMoment() =>
        Assert.Equal(DateTimeOffset.Parse("2026-01-01T00:00:00Z", null), new Epoch(14_726_880).Start(Period));

    [Fact]
    public void At_AnyTime_LiesBetweenItsStartAndTheNext() => Gen.Select(MeshGen.Time, MeshGen.Period).Sample((time, period) =>
    {
        var epoch = Epoch.At(time, period);
        Assert.InRange(time, epoch.Start(period), new Epoch(epoch.Value + 1).Start(period).AddTicks(-1));
        Assert.Equal(epoch, Epoch.At(epoch.Start(period), period));
    });

    [Fact]
    public void At_NoPeriodOrBefore1970_IsRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Epoch.At(DateTimeOffset.UnixEpoch, TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => Epoch.At(DateTimeOffset.UnixEpoch.AddTicks(-1), Period));
    }

    [Fact]
    public void Slot_AnyEpoch_AlternatesWithTheNext() => Gen.Long[0, long.MaxValue - 1].Sample(value =>
    {
        Assert.Equal((int)(value % 2), new Epoch(value).Slot.Index);
        Assert.NotEqual(new Epoch(value).Slot, new Epoch(value + 1).Slot);
    });

    [Fact]
    public void CompareTo_AnyTwo_IsTheOrderOfTheirNumbers() => Gen.Select(Gen.Long[0, 3], Gen.Long[0, 3]).Sample((left, right) =>
    {
        var (a, b) = (new Epoch(left), new Epoch(right));
        Assert.Equal(left.CompareTo(right), a.CompareTo(b));
        Assert.Equal((left > right, left >= right, left < right, left <= right), (a > b, a >= b, a < b, a <= b));
    });
}
