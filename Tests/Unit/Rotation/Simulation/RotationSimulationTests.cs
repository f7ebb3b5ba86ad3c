using CsCheck;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>Meshes with random faults, skews and messages keep the invariants and catch up afterwards, and breaking a rule is noticed.</summary>
public sealed class RotationSimulationTests(ITestOutputHelper output)
{
    private const int Cases = 100;

    [Fact]
    public void Run_AnyPlan_KeepsTheInvariantsAndCatchesUp()
    {
        var reports = new System.Collections.Concurrent.ConcurrentBag<SimulationReport>();
        SimulationPlan.Any.Sample(
            plan =>
            {
                var report = Simulation.Run(plan);
                reports.Add(report);
                Assert.True(report.Violation is null, report.Violation);
            },
            iter: Environment.GetEnvironmentVariable("SIMULATION_CASES") is { } cases ? int.Parse(cases) : Cases);
        output.WriteLine($"{reports.Count} plans, {reports.Sum(report => report.Elapsed.TotalHours):0.0} h of virtual time, {reports.Sum(report => report.Checks):N0} checks, "
            + $"{reports.Sum(report => report.Handshakes):N0} handshakes, caught up after {reports.Average(report => report.SettledAfter.TotalSeconds):0} s");
    }
}
