using CsCheck;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Desired minus observed, for routes and rules.</summary>
public sealed class RoutePatchTests
{
    // For each of a few destinations: no route, or one through one of two devices.
    private static readonly Gen<EquatableArray<Route>> Routes = Gen.Int[-1, 1].Array[4].Select(devices => devices
        .Select((device, node) => (device, node)).Where(x => x.device >= 0)
        .Select(x => new Route(TestMesh.PodCIDR(x.node), $"cilium_wg{x.device}")).ToEquatableArray());

    private static readonly Gen<EquatableArray<IPPrefix>> Rules = Gen.Bool.Array[3].Select(flags => flags
        .Select((flag, node) => (flag, node)).Where(x => x.flag).Select(x => TestMesh.PodCIDR(x.node)).ToEquatableArray());

    [Fact]
    public void Build_Applied_GivesWhatIsDesired() =>
        Gen.Select(Routes, Routes, Rules, Rules).Sample((desired, observed, desiredRules, rules) =>
    {
        var patch = RoutePatch.Build(desired, observed, desiredRules, rules);
        var table = observed.ToDictionary(route => route.Destination);
        foreach (var route in patch.Replace)
        {
            table[route.Destination] = route;
        }

        // The kernel removes a route only if the device is right too.
        Assert.All(patch.Delete, route => Assert.True(table.Remove(route.Destination, out var removed) && removed == route));
        Assert.Equal(desired, table.Values.OrderBy(route => route.Destination).ToEquatableArray());
        Assert.Empty(patch.AddRules.Intersect(rules));
        Assert.Equal(desiredRules, rules.Except(patch.DeleteRules).Concat(patch.AddRules).Order().ToEquatableArray());
    });

    [Fact]
    public void Build_NothingToDo_IsEmpty() => Gen.Select(Routes, Rules).Sample((routes, rules) =>
        Assert.Equal(new RoutePatch([], [], [], []), RoutePatch.Build(routes, routes, rules, rules)));

    [Fact]
    public void Build_RulesUnknown_AreLeftAlone() => Gen.Select(Routes, Rules).Sample((routes, rules) =>
        Assert.Equal(new RoutePatch([], [], [], []), RoutePatch.Build(routes, routes, null, rules)));

    [Fact]
    public void Build_AnotherDevice_TurnsTheRouteInOneStep()
    {
        var patch = RoutePatch.Build(
            [new Route(TestMesh.PodCIDR(2), "cilium_wg1")], [new Route(TestMesh.PodCIDR(2), "cilium_wg0")], null, []);
        Assert.Equal(new RoutePatch([new Route(TestMesh.PodCIDR(2), "cilium_wg1")], [], [], []), patch);
    }
}
