namespace Orleans.WireGuard;

/// <summary>Through which slot a node sends to another node's pods.</summary>
/// <param name="NodeName">The node that is sent to.</param>
/// <param name="Slot">The slot whose device carries the traffic.</param>
/// <param name="PeerKey">The key of that node to which the device encrypts.</param>
/// <param name="IsProven">Whether a handshake between just these two keys was completed.</param>
[GenerateSerializer, Immutable, Alias("owg.PathStatus")]
public sealed record PathStatus(
    [property: Id(0)] string NodeName,
    [property: Id(1)] Slot Slot,
    [property: Id(2)] PublicKey PeerKey,
    [property: Id(3)] bool IsProven);
