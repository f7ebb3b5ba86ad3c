using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Tests.Unit.Linux.Devices;

public sealed class KeepaliveIntervalTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(25)]
    [InlineData(65_535)]
    public void ToSeconds_WhatADeviceCanHave_IsWholeSeconds(int seconds)
    {
        Assert.True(KeepaliveInterval.IsValid(TimeSpan.FromSeconds(seconds)));
        Assert.Equal(seconds, KeepaliveInterval.ToSeconds(TimeSpan.FromSeconds(seconds)));
    }

    [Theory]
    [InlineData(-1_000)]
    [InlineData(500)]
    [InlineData(25_001)]
    [InlineData(65_536_000)]
    public void ToSeconds_WhatNoDeviceCanHave_Throws(int milliseconds)
    {
        var interval = TimeSpan.FromMilliseconds(milliseconds);
        Assert.False(KeepaliveInterval.IsValid(interval));
        Assert.Throws<ArgumentOutOfRangeException>(() => KeepaliveInterval.ToSeconds(interval));
    }

    [Fact]
    public void IsValid_TickAboveTheLargest_IsNot()
    {
        Assert.True(KeepaliveInterval.IsValid(KeepaliveInterval.Max));
        Assert.False(KeepaliveInterval.IsValid(KeepaliveInterval.Max + TimeSpan.FromTicks(1)));
    }
}
