namespace Orleans.WireGuard.Linux.Routing;

/// <summary>What holds for all links of a network namespace.</summary>
/// <param name="IsIPv6">Whether IPv6 packets are forwarded; <see langword="null"/> without IPv6.</param>
/// <param name="SourceCheck">rp_filter of all links.</param>
public sealed record ForwardingEntry(bool? IsIPv6, int SourceCheck);
