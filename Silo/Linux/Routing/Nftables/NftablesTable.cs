namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>A table of nftables.</summary>
/// <param name="Family">NFPROTO_*.</param>
/// <param name="Name">Its name; each family has names of its own.</param>
internal sealed record NftablesTable(byte Family, string Name);
