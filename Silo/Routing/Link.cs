namespace Orleans.WireGuard.Silo.Routing;

/// <summary>A network interface as it was read.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Index">The kernel's number for it; a link that was deleted and made again has another one.</param>
/// <param name="Mtu">Bytes.</param>
/// <param name="IsUp">Whether it is administratively up.</param>
internal sealed record Link(string Name, int Index, int Mtu, bool IsUp);
