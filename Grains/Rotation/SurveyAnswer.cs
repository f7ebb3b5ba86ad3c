namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>What the others have just said of a key.</summary>
/// <param name="Slot">Where the key is.</param>
/// <param name="PublicKey">Its public half.</param>
/// <param name="Peers">What is known of each peer that may depend on it.</param>
internal sealed record SurveyAnswer(Slot Slot, PublicKey PublicKey, IReadOnlyList<PeerFacts> Peers);
