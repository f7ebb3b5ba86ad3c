namespace Orleans.WireGuard;

/// <summary>A WireGuard device of this node as it was last read back.</summary>
/// <param name="Slot">The slot it serves.</param>
/// <param name="Name">Interface name, such as <c>cilium_wg0</c>.</param>
/// <param name="Transport">How it is driven.</param>
/// <param name="PublicKey">Public half of the key it really uses; <see langword="null"/> if it has none.</param>
/// <param name="ListenPort">UDP port.</param>
/// <param name="Mtu">Bytes; 0 if the link could not be read.</param>
/// <param name="Peers">By node name, then public key.</param>
/// <remarks>Numbers 2 and 7 were words, and are not used again.</remarks>
[GenerateSerializer, Immutable, Alias("owg.DeviceStatus")]
public sealed record DeviceStatus(
    [property: Id(0)] Slot Slot,
    [property: Id(1)] string Name,
    [property: Id(8)] Transport Transport,
    [property: Id(3)] PublicKey? PublicKey,
    [property: Id(4)] ushort ListenPort,
    [property: Id(5)] int Mtu,
    [property: Id(6)] EquatableArray<PeerStatus> Peers)
{
    /// <summary>Why this transport was chosen.</summary>
    [Id(9)]
    public TransportReason TransportReason { get; init; }
}
