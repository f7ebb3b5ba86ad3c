using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Addresses;

/// <summary>The first announcement waits for the agent's look, no longer than five seconds; the next ones come once a second.</summary>
public sealed class AnnouncePaceTests
{
    [Theory]
    [InlineData(0, true, 0)]
    [InlineData(3, true, 0)]
    [InlineData(0, false, 0.05)]
    [InlineData(4.98, false, 0.02)]
    [InlineData(5, false, 0)]
    public void FindPause_First_WaitsForTheLook(double now, bool hasLooked, double pause) => Assert.Equal(
        TimeSpan.FromSeconds(pause),
        AnnouncePace.FindPause(null, TestMesh.SteadyAt(0), hasLooked, TestMesh.SteadyAt(now)));

    [Theory]
    [InlineData(10.2, 0.8)]
    [InlineData(11, 0)]
    [InlineData(12, -1)]
    public void FindPause_Next_IsASecondLater(double now, double pause) => Assert.Equal(
        TimeSpan.FromSeconds(pause),
        AnnouncePace.FindPause(TestMesh.SteadyAt(10), TestMesh.SteadyAt(0), hasLooked: false, TestMesh.SteadyAt(now)));
}
