namespace Orleans.WireGuard.Linux.Routing;

/// <summary>A network interface as it was read.</summary>
/// <param name="Name">Such as <c>eth0</c>; it may change.</param>
/// <param name="Index">The kernel's number for it; a link that was deleted and made again has another one.</param>
/// <param name="Mtu">Bytes.</param>
/// <param name="IsUp">Whether it is administratively up.</param>
/// <param name="Kind">What it is, such as <c>wireguard</c>, <c>veth</c> or <c>tun</c>; empty for hardware, or if it was not read.</param>
public sealed record Link(string Name, int Index, int Mtu, bool IsUp, string Kind = "");
