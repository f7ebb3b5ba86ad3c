using Orleans.WireGuard.Silo.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Desired minus observed for routes and rules. Pure.</summary>
/// <param name="Replace">Routes to add or to turn to another device, in one step each.</param>
/// <param name="Delete">Routes that nobody wants.</param>
/// <param name="AddRules">Sources to look up in our table.</param>
/// <param name="DeleteRules">Sources to stop looking up there.</param>
internal sealed record RoutePatch(
    EquatableArray<Route> Replace,
    EquatableArray<Route> Delete,
    EquatableArray<IPPrefix> AddRules,
    EquatableArray<IPPrefix> DeleteRules)
{
    /// <summary>Builds the patch.</summary>
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
        var destinations = desired.Select(route => route.Destination).ToHashSet();
        var wantedRules = desiredRules ?? observedRules;
        return new RoutePatch(
            desired.Except(observed).OrderBy(route => route.Destination).ToEquatableArray(),
            observed.Where(route => !destinations.Contains(route.Destination)).OrderBy(route => route.Destination).ToEquatableArray(),
            wantedRules.Except(observedRules).Order().ToEquatableArray(),
            observedRules.Except(wantedRules).Order().ToEquatableArray());
    }
}
