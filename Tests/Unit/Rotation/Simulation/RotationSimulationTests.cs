using CsCheck;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>Meshes with random faults, skews and messages keep the invariants and catch up afterwards, and breaking a rule is noticed.</summary>
public sealed class RotationSimulationTests(ITestOutputHelper output)
{
    private const int Cases = 40;
    private const int MaxCasesToNotice = 40;

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
        Console.WriteLine($"passes {SimulatedAgent.PN} {SimulatedAgent.PT/1e9:0.0}s ticks {Simulation.TN} {Simulation.TT/1e9:0.0} checks {Simulation.CT/1e9:0.0}");
        output.WriteLine($"{reports.Count} plans, {reports.Sum(report => report.Elapsed.TotalHours):0.0} h of virtual time, {reports.Sum(report => report.Checks):N0} checks, "
            + $"{reports.Sum(report => report.Handshakes):N0} handshakes, caught up after {reports.Average(report => report.SettledAfter.TotalSeconds):0} s");
    }

    // Seeds that are the same in every run: whether a break is noticed must not be luck.
    [Theory]
    [InlineData(nameof(SimulationBreak.MoveWithoutHandshake), "I2")]
    [InlineData(nameof(SimulationBreak.ReplaceInSpite), "I3")]
    [InlineData(nameof(SimulationBreak.NobodySaysThatItSends), "I3")]
    [InlineData(nameof(SimulationBreak.SequenceRestarts), "I6")]
    [InlineData(nameof(SimulationBreak.OlderAnnouncementsAreTaken), "I6")]
    [InlineData(nameof(SimulationBreak.NobodyStarts), "liveness")]
    public void Run_BrokenRule_IsNoticed(string broken, string expected)
    {
        for (var number = 0u; number < MaxCasesToNotice; number++)
        {
            var plan = SimulationPlan.Any.Generate(new PCG(number), null, out _);
            if (broken == nameof(SimulationBreak.SequenceRestarts))
            {
                // Only a longer period, or a clock that is set back by as much, takes a sequence back.
                var longer = new Fault(FaultKind.PeriodChange, 50, 0, 0, -SimulationPlan.MaxSkewSeconds);
                plan = plan with { Period = TimeSpan.FromSeconds(40), Faults = [longer] };
            }

            if (Simulation.Run(plan, Enum.Parse<SimulationBreak>(broken)).Violation is { } violation
                && violation.StartsWith(expected, StringComparison.Ordinal))
            {
                output.WriteLine($"{broken}, noticed by plan {number}: {violation[..violation.IndexOf(Environment.NewLine, StringComparison.Ordinal)]}");
                return;
            }
        }

        Assert.Fail($"{broken} was not noticed as {expected} by any of {MaxCasesToNotice} plans.");
    }
}
