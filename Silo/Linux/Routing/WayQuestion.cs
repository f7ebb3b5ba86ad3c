using System.Net;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>How a pod's packets come to this node's routes.</summary>
/// <param name="LinkName">The link that they come in by.</param>
/// <param name="Address">Their source.</param>
public sealed record PodLink(string LinkName, IPAddress Address);

/// <summary>A packet that is asked about.</summary>
/// <param name="From">Where it comes from.</param>
/// <param name="Destination">Where it goes to.</param>
public sealed record WayQuestion(PodLink From, IPAddress Destination);
