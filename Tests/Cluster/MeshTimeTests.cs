using Microsoft.Extensions.DependencyInjection;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Cluster;

/// <summary>A silo with a clock that cannot be right, among others and alone.</summary>
public sealed class MeshTimeTests
{
    private static readonly DateTimeOffset Never = DateTimeOffset.UnixEpoch.AddMinutes(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // It asks for the time before it judges anything by its own, also if the answer takes a while.
    [Fact]
    public async Task Silo_JoinsWithAClockThatWasNeverSet_RefusesNothing()
    {
        await using var mesh = await MeshCluster.StartAsync(
            2, wrongClock: name => name == "node-2" ? new ShiftedTime(Never) : null, pathDelay: TimeSpan.FromMilliseconds(300));
        await mesh.UntilAllAgreeAsync();
        await mesh.StartSiloAsync("node-2");
        await mesh.UntilAllAgreeAsync();
        Assert.All(mesh.NodeNames, name => Assert.DoesNotContain(
            mesh.Services(name)
                .GetRequiredService<AnnouncementStore>().Refusals, refusal => refusal.Outcome == AnnouncementOutcome.Malformed));
        Assert.DoesNotContain(mesh.Logs.Lines, line => line.Contains("The time is not known", StringComparison.Ordinal));
        Assert.True(mesh.Services("node-2").GetRequiredService<MeshClock>().Correction > TimeSpan.FromDays(365));
    }

    // It found nobody to ask when it started, and asks the first one that comes.
    [Fact]
    public async Task Silo_IsAloneWithAClockThatWasNeverSet_SaysSoUntilSomebodyComes()
    {
        await using var mesh = await MeshCluster.StartAsync(1, wrongClock: name => name == "node-0" ? new ShiftedTime(Never) : null);
        await MeshCluster.EventuallyAsync(
            () => mesh.Logs.Lines.Any(
                line => line.StartsWith("Warning: The time is not known: the clock of this node says 1970-", StringComparison.Ordinal)),
            "the log to name the clock");
        Assert.Contains(
            "nobody of the mesh could be asked", (await mesh.Node("node-0").GetStatus(Token)).Problems.ToText(), StringComparison.Ordinal);

        await mesh.StartSiloAsync("node-1");
        await mesh.UntilAllAgreeAsync();
        await MeshCluster.EventuallyAsync(
            () => mesh.Services("node-0").GetRequiredService<MeshClock>().FindProblem() is null, "node-0 to know the time");
        await MeshCluster.EventuallyAsync(
            () => mesh.Logs.Lines.Any(line => line.Contains("The time is known again", StringComparison.Ordinal)),
            "the log to say that it is over");
    }
}
