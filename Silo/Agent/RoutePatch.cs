using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Desired minus observed for routes and rules, each list in the order in which it is safe to apply. Pure.</summary>
/// <remarks>
/// What is desired and what is observed are in <see cref="RouteOrder"/>, or are brought into it, so that they are compared side by side:
/// with tens of thousands of routes a pass that changes one is to cost little.
/// </remarks>
/// <param name="Replace">Routes to add or to turn to another device, in one step each: exceptions from refusals, refusals, tunnels.</param>
/// <param name="Delete">Routes that nobody wants, in the opposite order: a tunnel goes while its refusal is still there.</param>
/// <param name="AddRules">Sources to look up in our table, once its routes are there.</param>
/// <param name="DeleteRules">Sources to stop looking up there.</param>
internal sealed record RoutePatch(
    EquatableArray<Route> Replace,
    EquatableArray<Route> Delete,
    EquatableArray<IPPrefix> AddRules,
    EquatableArray<IPPrefix> DeleteRules)
{
    /// <summary>Whether there is nothing to do.</summary>
    public bool IsEmpty => Replace.Count + Delete.Count + AddRules.Count + DeleteRules.Count == 0;

    /// <summary>What has to be done to routes and rules so that they become as desired.</summary>
    /// <param name="desired">The routes that should be there.</param>
    /// <param name="observed">The routes of our table.</param>
    /// <param name="desiredRules">The sources that should be looked up; <see langword="null"/> leaves them as they are.</param>
    /// <param name="observedRules">The sources that are.</param>
    public static RoutePatch Build(
        EquatableArray<Route> desired,
        EquatableArray<Route> observed,
        EquatableArray<IPPrefix>? desiredRules,
        EquatableArray<IPPrefix> observedRules)
    {
        (desired, observed) = (RouteOrder.Sort(desired), RouteOrder.Sort(observed));
        var missing = Sorted.Except(desired, observed, RouteOrder.Instance);

        // What is missing replaces what has its key, in one step; the rest of what nobody wants has to be deleted.
        var replaced = missing.Select(route => route.Key).ToHashSet();
        var wantedRules = desiredRules ?? observedRules;
        return new RoutePatch(
            missing.OrderBy(Step).ThenBy(route => route.Destination).ToEquatableArray(),
            Sorted.Except(observed, desired, RouteOrder.Instance).Where(route => !replaced.Contains(route.Key))
                .OrderByDescending(Step).ThenBy(route => route.Destination).ToEquatableArray(),
            wantedRules.Except(observedRules).Order().ToEquatableArray(),
            observedRules.Except(wantedRules).Order().ToEquatableArray());
    }

    /// <summary>The routes after the patch.</summary>
    public EquatableArray<Route> ApplyTo(EquatableArray<Route> observed)
    {
        if (Replace.Count + Delete.Count == 0)
        {
            return RouteOrder.Sort(observed);
        }

        var replaced = Replace.Select(route => route.Key).ToHashSet();
        var deleted = Delete.ToHashSet();
        var kept = observed.AsSpan().ToArray().Where(route => !replaced.Contains(route.Key) && !deleted.Contains(route)).ToList();

        kept.AddRange(Replace);
        kept.Sort(RouteOrder.Instance);
        return kept.ToEquatableArray();
    }

    /// <summary>The sources that are looked up after the patch.</summary>
    public EquatableArray<IPPrefix> ApplyToRules(EquatableArray<IPPrefix> observed) =>
        observed.Except(DeleteRules).Union(AddRules).Order().ToEquatableArray();

    // A refusal without its exceptions would cut this node's pods off from each other, so it comes behind them and goes before them.
    private static int Step(Route route) => route.IsThrow ? 0 : route.IsUnreachable ? 1 : 2;
}
