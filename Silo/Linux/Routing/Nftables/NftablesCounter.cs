namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>A counter of a table as it was read.</summary>
internal sealed record NftablesCounter(string Table, string Name, ulong Packets, ulong Bytes);
