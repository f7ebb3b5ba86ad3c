namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>Where a chain is called from.</summary>
/// <param name="Number">NF_INET_* or NF_NETDEV_*.</param>
/// <param name="Priority">Lower comes first.</param>
/// <param name="Device">For the family netdev, the name of the link; otherwise empty.</param>
internal sealed record NftablesHook(uint Number, int Priority, string Device = "");
