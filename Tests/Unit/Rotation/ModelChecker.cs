using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What a check found.</summary>
/// <param name="States">The hashes of the states that were reached.</param>
/// <param name="Transitions">Steps between them.</param>
/// <param name="Terminals">Those in which nothing can happen any more.</param>
/// <param name="Violation">What was broken, with the shortest way there, a step a line; <see langword="null"/> if nothing.</param>
/// <param name="Elapsed">How long it took.</param>
internal sealed record ModelReport(
    IReadOnlySet<UInt128> States, long Transitions, IReadOnlySet<UInt128> Terminals, string? Violation, TimeSpan Elapsed)
{
    /// <summary>For people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{States.Count:N0} states, {Transitions:N0} transitions, {Terminals.Count:N0} terminal states, {Elapsed.TotalSeconds:0.0} s; {ModelInvariants.Names}");
}

/// <summary>
/// Visits every state that a <see cref="RotationModel"/> can reach, nearest first, so that the way to a violation is the shortest.
/// </summary>
internal sealed class ModelChecker(ModelOptions options, int nodes)
{
    private readonly RotationModel _model = new(options);
    private readonly ModelReduction _reduction = new(options, nodes);

    // The states in the order in which they were reached, and from which one each was: enough to walk the way again.
    private readonly HashSet<UInt128> _seen = [];
    private readonly List<(UInt128 Hash, int From)> _ways = [];

    /// <summary>Visits every state that can be reached, and checks the invariants in each.</summary>
    /// <param name="maxStates">Fails rather than fill the memory.</param>
    /// <param name="visit">Is shown every state, and whether it is a terminal one.</param>
    public ModelReport Check(int maxStates, Action<ModelState, bool>? visit = null)
    {
        var started = Stopwatch.GetTimestamp();
        var start = RotationModel.Rest(nodes);
        var queue = new Queue<ModelState>();
        var transitions = 0L;
        var terminals = new HashSet<UInt128>();
        Reach(start, -1);
        for (var current = 0; queue.TryDequeue(out var state); current++)
        {
            if (FindViolation(state) is not null)
            {
                return Report(Trace(start, current, FindViolation));
            }

            var mustGoOn = false;
            foreach (var step in _model.Next(state))
            {
                mustGoOn |= step.IsCertain;
                transitions++;
                Reach(step.State, current);
            }

            if (!mustGoOn)
            {
                terminals.Add(_ways[current].Hash);
                if (FindUnfinished(state) is not null)
                {
                    return Report(Trace(start, current, FindUnfinished));
                }
            }

            visit?.Invoke(state, !mustGoOn);
        }

        return Report(null);

        string? FindViolation(ModelState state) => ModelInvariants.FindViolation(_model, state);

        string? FindUnfinished(ModelState state) => ModelInvariants.FindUnfinished(state, options.LastEpoch);

        void Reach(ModelState state, int from)
        {
            state = options.Reduced ? _reduction.Canonical(state) : state;
            var hash = state.Hash();
            if (_seen.Add(hash))
            {
                Assert.True(_seen.Count <= maxStates, $"more than {maxStates} states");
                _ways.Add((hash, from));
                queue.Enqueue(state);
            }
        }

        ModelReport Report(string? violation) => new(_seen, transitions, terminals, violation, Stopwatch.GetElapsedTime(started));
    }

    // Walks the way again, with the names that the nodes had at the start.
    private string Trace(ModelState state, int last, Func<ModelState, string?> find)
    {
        var way = new Stack<UInt128>();
        for (; last > 0; last = _ways[last].From)
        {
            way.Push(_ways[last].Hash);
        }

        var text = new StringBuilder();
        var number = 0;
        foreach (var hash in way)
        {
            var step = _model.Next(options.Reduced ? _reduction.Forget(state) : state).First(step => HashOf(step.State) == hash);
            text.AppendLine().Append(CultureInfo.InvariantCulture, $"  {++number}. {step.Name()}");
            state = step.State;
        }

        return find(state) + text;
    }

    private UInt128 HashOf(ModelState state) => (options.Reduced ? _reduction.Canonical(state) : state).Hash();
}
