using System.Collections.Concurrent;
using System.Globalization;
using CsCheck;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>
/// Meshes with random faults, skews and messages keep the invariants and catch up afterwards, and breaking a rule is noticed.
/// </summary>
public sealed class RotationSimulationTests(ITestOutputHelper output)
{
    // The same plans in every run, so that a failure is not luck. SIMULATION_CASES=2000 explores that many others instead; what fails is
    // made smaller.
    private const int Plans = 30;
    private const string CasesVariable = "SIMULATION_CASES";

    private readonly ConcurrentBag<SimulationReport> _reports = [];

    [Fact]
    public void Run_AnyPlan_KeepsTheInvariantsAndCatchesUp()
    {
        if (Environment.GetEnvironmentVariable(CasesVariable) is { } cases)
        {
            SimulationPlan.Any.Sample(Run, iter: int.Parse(cases, CultureInfo.InvariantCulture));
        }
        else
        {
            _ = Parallel.For(0, Plans, number => Run(Plan(number)));
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{_reports.Count} plans, {_reports.Sum(report => report.Elapsed.TotalHours):0.0} h of virtual time, {_reports.Sum(report => report.Checks):N0} checks, "
            + $"{_reports.Sum(report => report.Handshakes):N0} handshakes, caught up {_reports.Average(report => report.SettledAfter.TotalSeconds):0} s after the faults"));
    }

    [Theory]
    [InlineData(nameof(SimulationBreak.MoveWithoutHandshake), "I2")]
    [InlineData(nameof(SimulationBreak.ReplaceInSpite), "I3")]
    [InlineData(nameof(SimulationBreak.NobodySaysThatItSends), "I3")]
    [InlineData(nameof(SimulationBreak.SequenceRestarts), "I6")]
    [InlineData(nameof(SimulationBreak.OlderAnnouncementsAreTaken), "I6")]
    [InlineData(nameof(SimulationBreak.NobodyStarts), "liveness")]
    public void Run_BrokenRule_IsNoticed(string broken, string expected)
    {
        for (var number = 0; number < Plans; number++)
        {
            var plan = Plan(number);
            if (broken == nameof(SimulationBreak.SequenceRestarts))
            {
                // Only a clock that is set back takes a sequence back, and here by as much as others take.
                plan = plan with
                {
                    Nodes = 2,
                    Period = TimeSpan.FromSeconds(20),
                    Skews = plan.Skews.Select((_, node) => node == 1 ? 300 : 0).ToEquatableArray(),
                    Faults = [new Fault(FaultKind.ClockStep, 50, 1, 0, 0), new Fault(FaultKind.SiloDown, 51, 1, 0, 0)],
                };
                Assert.Null(Simulation.Run(plan).Violation);
            }

            if (Simulation.Run(plan, Enum.Parse<SimulationBreak>(broken)).Violation is { } violation
                && violation.StartsWith(expected, StringComparison.Ordinal))
            {
                output.WriteLine(
                    $"{broken}, noticed by plan {number}: {violation[..violation.IndexOf(Environment.NewLine, StringComparison.Ordinal)]}");
                return;
            }
        }

        Assert.Fail($"{broken} was not noticed as {expected} by any of {Plans} plans.");
    }

    [Fact]
    public void Run_SamePlanAgain_IsTheSame()
    {
        var plan = Plan(1) with { Nodes = 3, FaultyEpochs = 2 };
        Assert.Equal(Simulation.Run(plan), Simulation.Run(plan));
    }

    // Without a seed of its own the generator takes the time of day.
    private static SimulationPlan Plan(int number) => SimulationPlan.Any.Generate(new PCG((uint)number, seed: 0), null, out _);

    private void Run(SimulationPlan plan)
    {
        var report = Simulation.Run(plan);
        _reports.Add(report);
        Assert.True(report.Violation is null, report.Violation);
    }
}
