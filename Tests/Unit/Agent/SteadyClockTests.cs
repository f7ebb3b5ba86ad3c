using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>A session does not look expired because somebody set the clock.</summary>
public sealed class SteadyClockTests
{
    [Fact]
    public void Now_ClockIsSet_GoesOnAsBefore()
    {
        var time = new SettableTime();
        var clock = new SteadyClock(time);
        time.SetBy = TimeSpan.FromMinutes(3);
        Assert.Equal(TestMesh.Start, clock.Now);
        time.Elapsed = TimeSpan.FromSeconds(1);
        Assert.Equal(TestMesh.Start.AddSeconds(1), clock.Now);
    }
}
