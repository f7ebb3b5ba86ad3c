namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Two keys that shake hands.</summary>
/// <param name="Slot">The slot whose devices have them.</param>
/// <param name="Local">Ours.</param>
/// <param name="Peer">The peer's.</param>
internal readonly record struct HandshakePair(Slot Slot, PublicKey Local, PublicKey Peer);
