namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>
/// A chain as it was read. One of the family netdev has the name of the link that it is called from, or none if that link is gone.
/// </summary>
internal sealed record NftablesChain(string Table, string Name, string Device);
