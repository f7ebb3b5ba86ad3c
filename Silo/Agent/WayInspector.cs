using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Asks the kernel which way packets of this node's pods take to each other node's: at every resync, when a rule or route that may lead
/// them elsewhere changes (<see cref="NewsFilter"/>), and about what is new or was wrong in every pass.
/// </summary>
/// <remarks>Changes nothing: whose rule it is we do not know. Not thread-safe: the agent runs one pass at a time.</remarks>
internal sealed partial class WayInspector(ILinkClient links, KernelWatch watch, DeviceNames names, ILogger logger)
{
    // By destination: what is expected, and what was wrong with it when it was asked last.
    private readonly Dictionary<IPPrefix, (WayExpectation Expected, WrongWay? Wrong)> _known = [];
    private readonly Dictionary<IPPrefix, PodLink> _pods = [];

    // Names what this kernel has, which nobody else can put into words.
    private string? _wrong;

    /// <summary>Which way is wrong; <see langword="null"/> if all are right.</summary>
    public NodeProblem? Problem => _wrong is null ? null : NodeProblem.Of(NodeProblemCode.RoutedByOthers, _wrong);

    /// <summary>Asks, and says in <see cref="Problem"/> what is wrong.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="routes">The routes of our table as they are now.</param>
    /// <param name="isResync">Whether to ask about all of them.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task InspectAsync(MeshView view, EquatableArray<Route> routes, bool isResync, CancellationToken cancellationToken)
    {
        // While the nodes are unknown there is nothing to expect; what was found stays.
        if (view.Facts is not { OwnListed: var pods } facts)
        {
            return;
        }

        // Before they are asked: then what changes meanwhile, or after, is heard.
        watch.SetPods(pods, facts.Protected);
        var expected = WayRules.Expect(view, pods, routes);
        var destinations = expected.Select(expectation => expectation.Destination).ToHashSet();
        foreach (var gone in _known.Keys.Where(destination => !destinations.Contains(destination)).ToList())
        {
            _ = _known.Remove(gone);
        }

        var asked = expected
            .Where(expectation => isResync || !_known.TryGetValue(expectation.Destination, out var known)
                || known.Expected != expectation || known.Wrong is not null)
            .ToList();
        if (isResync)
        {
            _pods.Clear();
        }

        foreach (var (expectation, wrong) in asked.Zip(await AskAsync(asked, cancellationToken)))
        {
            _known[expectation.Destination] = (expectation, wrong);
        }

        await TellAsync(cancellationToken);
    }

    /// <summary>Whether any way is another one than was found. Only reads.</summary>
    public async Task<bool> HaveChangedAsync(CancellationToken cancellationToken)
    {
        var known = _known.Values.ToList();
        return !(await AskAsync([.. known.Select(way => way.Expected)], cancellationToken)).SequenceEqual(known.Select(way => way.Wrong));
    }

    private async Task<IReadOnlyList<WrongWay?>> AskAsync(List<WayExpectation> expectations, CancellationToken cancellationToken)
    {
        if (expectations.Count == 0)
        {
            return [];
        }

        foreach (var pods in expectations.Select(expectation => expectation.Pods)
            .Where(pods => !_pods.ContainsKey(pods)).Distinct().ToList())
        {
            // A node without a pod has no link for them; ours takes packets of any source, and no rule is about it.
            _pods[pods] = await links.FindPodLinkAsync(pods, cancellationToken)
                ?? new PodLink(names.Zero, PodAddress.Of(pods));
        }

        var ways = await links.FindWaysAsync(
            expectations.Select(expectation => new WayQuestion(_pods[expectation.Pods], expectation.Address))
                .ToEquatableArray(), cancellationToken);
        var answers = expectations
            .Zip(ways, (expectation, way) => WayRules.IsWrong(expectation, way, names)
                ? new WrongWay(expectation, _pods[expectation.Pods], way)
                : null)
            .ToList();

        // The pod that was supposed may be gone; the next question supposes another one.
        foreach (var (expectation, _) in expectations.Zip(ways).Where(pair => pair.Second.Fate == WayFate.Unknown))
        {
            _ = _pods.Remove(expectation.Pods);
        }

        return answers;
    }

    private async Task TellAsync(CancellationToken cancellationToken)
    {
        var wrong = _known.Values.Select(way => way.Wrong).OfType<WrongWay>().OrderBy(way => way.Expectation.Destination).ToList();
        var problem = wrong.Count == 0
            ? null
            : WayRules.Describe(
                wrong, await links.GetAllRulesAsync(wrong[0].Expectation.Destination.IsIPv6, cancellationToken), links.Table);
        if (problem is not null && problem != _wrong)
        {
            LogWrong(logger, problem);
        }
        else if (problem is null && _wrong is not null)
        {
            LogRight(logger);
        }

        _wrong = problem;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Something else routes on this node: {Problem}")]
    private static partial void LogWrong(ILogger logger, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "Packets of this node's pods take the ways that they should again")]
    private static partial void LogRight(ILogger logger);
}
