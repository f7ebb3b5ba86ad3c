using System.Net;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>How it is between this node and another one.</summary>
/// <param name="NodeName">The other one.</param>
/// <param name="IsAnswering">Whether any slot works.</param>
/// <param name="AskedSince">Since when the other one has been asked in vain; now if it has not.</param>
/// <param name="Endpoints">Where the other one was sent to since.</param>
internal sealed record NodePair(string NodeName, bool IsAnswering, SteadyTime AskedSince, EquatableArray<IPEndPoint> Endpoints);
