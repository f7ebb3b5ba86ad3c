using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>A packet that takes another way than it should.</summary>
/// <param name="Expectation">What should become of it.</param>
/// <param name="From">Where it was supposed to come from.</param>
/// <param name="Way">What would become of it.</param>
internal sealed record WrongWay(WayExpectation Expectation, PodLink From, Way Way);
