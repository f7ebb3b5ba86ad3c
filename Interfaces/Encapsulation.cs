namespace Orleans.WireGuard;

/// <summary>
/// By what packets are known that another data plane has packed: VXLAN and Geneve by their UDP port, IP in IP by its protocol.
/// </summary>
/// <param name="Protocol">IP protocol: 17 for UDP, 4 for IP in IP.</param>
/// <param name="Port">UDP port of the destination, 1 to 65535; 0 if the protocol has none.</param>
[GenerateSerializer, Immutable, Alias("owg.Encapsulation")]
public readonly record struct Encapsulation([property: Id(0)] byte Protocol, [property: Id(1)] ushort Port)
{
    /// <summary>IPv4 in IPv4, as the kernel's <c>ipip</c> links make it.</summary>
    public static Encapsulation IPInIP { get; } = new(4, 0);

    /// <summary>What goes to a UDP port.</summary>
    public static Encapsulation Udp(ushort port) => new(17, port);
}
