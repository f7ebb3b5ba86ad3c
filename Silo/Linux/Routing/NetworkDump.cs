namespace Orleans.WireGuard.Linux.Routing;

/// <summary>What rtnetlink tells of a network namespace: everybody's links, addresses, routes and rules, not only ours.</summary>
/// <param name="Links">All links, by number.</param>
/// <param name="Addresses">All addresses of all links.</param>
/// <param name="Routes">Routes of all tables that lead to a link or nowhere, without the kernel's own of table local.</param>
/// <param name="Rules">All rules, by family and priority.</param>
/// <param name="Forwarding">What holds for all links.</param>
/// <remarks>Read by several requests, so a link that a route names may be missing from the links.</remarks>
public sealed record NetworkDump(
    EquatableArray<LinkEntry> Links,
    EquatableArray<AddressEntry> Addresses,
    EquatableArray<RouteEntry> Routes,
    EquatableArray<RuleEntry> Rules,
    ForwardingEntry Forwarding);
