using System.Diagnostics;
using System.Text;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What a check found.</summary>
/// <param name="States">Different states that were reached.</param>
/// <param name="Transitions">Steps between them.</param>
/// <param name="Terminals">States in which nothing can happen any more.</param>
/// <param name="Violation">What was broken, with the shortest way there, a step a line; <see langword="null"/> if nothing.</param>
/// <param name="Elapsed">How long it took.</param>
internal sealed record ModelReport(int States, long Transitions, int Terminals, string? Violation, TimeSpan Elapsed)
{
    /// <summary>For people.</summary>
    public override string ToString() => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{States:N0} states, {Transitions:N0} transitions, {Terminals:N0} terminal states, {Elapsed.TotalSeconds:0.0} s; {ModelInvariants.Names}");
}

/// <summary>Visits every state that a <see cref="RotationModel"/> can reach, nearest first, so that the way to a violation is the shortest.</summary>
internal static class ModelChecker
{
    /// <summary>Checks.</summary>
    /// <param name="model">The rules.</param>
    /// <param name="start">Where to begin.</param>
    /// <param name="lastEpoch">The epoch that everybody has to arrive at.</param>
    /// <param name="maxStates">Fails rather than fill the memory.</param>
    public static ModelReport Check(RotationModel model, ModelState start, byte lastEpoch, int maxStates)
    {
        var started = Stopwatch.GetTimestamp();
        var seen = new HashSet<UInt128> { start.Hash() };
        var ways = new List<(int From, string Step)> { (-1, "") };
        var queue = new Queue<(int Number, ModelState State)>([(0, start)]);
        var transitions = 0L;
        var terminals = 0;
        while (queue.TryDequeue(out var current))
        {
            var hasNext = false;
            foreach (var (step, state) in model.Next(current.State))
            {
                hasNext = true;
                transitions++;
                if (seen.Add(state.Hash()))
                {
                    Assert.True(seen.Count <= maxStates, $"more than {maxStates} states");
                    ways.Add((current.Number, step));
                    queue.Enqueue((ways.Count - 1, state));
                    if (ModelInvariants.FindViolation(model, state) is { } violation)
                    {
                        return Report(Trace(ways, ways.Count - 1, violation));
                    }
                }
            }

            if (!hasNext)
            {
                terminals++;
                if (ModelInvariants.FindUnfinished(current.State, lastEpoch) is { } unfinished)
                {
                    return Report(Trace(ways, current.Number, unfinished));
                }
            }
        }

        return Report(null);

        ModelReport Report(string? violation) => new(seen.Count, transitions, terminals, violation, Stopwatch.GetElapsedTime(started));
    }

    private static string Trace(List<(int From, string Step)> ways, int number, string violation)
    {
        var steps = new Stack<string>();
        for (; number > 0; number = ways[number].From)
        {
            steps.Push(ways[number].Step);
        }

        return new StringBuilder().AppendLine(violation).AppendJoin(Environment.NewLine, steps.Select((step, index) => $"  {index + 1}. {step}")).ToString();
    }
}
