namespace Orleans.WireGuard;

/// <summary>Whether a holder's device has the key that a node's device really uses.</summary>
public enum AgreementState
{
    /// <summary>One of the two did not answer.</summary>
    Unknown,

    /// <summary>The keys are equal.</summary>
    Agrees,

    /// <summary>The holder has another key for that node.</summary>
    Differs,

    /// <summary>The holder has no peer for that node.</summary>
    Missing,
}

/// <summary>One cell of the key-agreement matrix.</summary>
/// <param name="NodeName">The node whose key it is.</param>
/// <param name="Holder">The node whose device holds it as a peer.</param>
/// <param name="Slot">The slot.</param>
/// <param name="State">Whether they agree.</param>
/// <param name="UsedKey">The key that the device of <paramref name="NodeName"/> uses; <see langword="null"/> if unknown.</param>
/// <param name="HeldKey">The key that the device of <paramref name="Holder"/> has for it; <see langword="null"/> if none.</param>
/// <param name="LastHandshakeTime">The holder's latest handshake with it; <see langword="null"/> if none.</param>
[GenerateSerializer, Immutable, Alias("owg.KeyAgreement")]
public sealed record KeyAgreement(
    [property: Id(0)] string NodeName,
    [property: Id(1)] string Holder,
    [property: Id(2)] Slot Slot,
    [property: Id(3)] AgreementState State,
    [property: Id(4)] PublicKey? UsedKey,
    [property: Id(5)] PublicKey? HeldKey,
    [property: Id(6)] DateTimeOffset? LastHandshakeTime);
