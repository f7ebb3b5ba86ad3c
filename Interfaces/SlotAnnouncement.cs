namespace Orleans.WireGuard;

/// <summary>What others need to reach one slot of a node.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="PublicKey">The X25519 public key that the node's device of this slot uses.</param>
/// <param name="KeyEpoch">The epoch for which the key was made.</param>
/// <param name="ListenPort">The UDP port of that device: 51871 for slot 0, 51872 for slot 1, unless configured otherwise.</param>
[GenerateSerializer, Immutable, Alias("owg.SlotAnnouncement")]
public sealed record SlotAnnouncement(
    [property: Id(0)] Slot Slot,
    [property: Id(1)] PublicKey PublicKey,
    [property: Id(2)] Epoch KeyEpoch,
    [property: Id(3)] ushort ListenPort)
{
    /// <summary>
    /// The latest epoch that the key serves: <see cref="KeyEpoch"/>, or a later one if the node keeps the key because replacing it would
    /// have cut off a peer. Two nodes move their traffic to a slot when it serves a later epoch on both sides than the one in use.
    /// </summary>
    [Id(4)]
    public Epoch ServesEpoch { get; init; } = KeyEpoch;
}
