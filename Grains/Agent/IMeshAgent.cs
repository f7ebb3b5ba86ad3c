using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Grains.Agent;

/// <summary>The part of a silo that applies keys and peers to the local devices, as the grains see it.</summary>
internal interface IMeshAgent
{
    /// <summary>What the last pass read.</summary>
    AgentSnapshot Snapshot { get; }

    /// <summary>The UDP port of a slot's device.</summary>
    ushort GetListenPort(Slot slot);

    /// <summary>Notes that something changed. A pass follows soon; several notes share one.</summary>
    void RequestReconcile();

    /// <summary>Waits for a pass that begins after this call.</summary>
    /// <returns>Whether the devices now are what the store and the key ring say; if not, the snapshot has the reason.</returns>
    Task<bool> ReconcileAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Reads the key pair that a slot's device uses, which a former silo of this node left on it. The caller disposes it.
    /// </summary>
    /// <returns><see langword="null"/> if there is no device, or it has no key, or the key was made by somebody else.</returns>
    /// <exception cref="InvalidOperationException">
    /// The device is somebody else's, or it is too early to tell, or it cannot be read. The message says which.
    /// </exception>
    Task<KeyPair?> ReadKeyPairAsync(Slot slot, CancellationToken cancellationToken);
}
