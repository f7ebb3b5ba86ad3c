namespace Orleans.WireGuard;

/// <summary>What a rotation did.</summary>
/// <param name="NodeName">The node.</param>
/// <param name="OldPublicKey">The key it replaced; <see langword="null"/> if the slot had none.</param>
/// <param name="NewPublicKey">The key that the node's device now uses.</param>
/// <param name="Sequence">The announcement that carries it.</param>
[GenerateSerializer, Immutable, Alias("owg.RotationReceipt")]
public sealed record RotationReceipt(
    [property: Id(0)] string NodeName,
    [property: Id(1)] PublicKey? OldPublicKey,
    [property: Id(2)] PublicKey NewPublicKey,
    [property: Id(3)] AnnouncementSequence Sequence);
