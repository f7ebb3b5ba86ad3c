using Orleans.Concurrency;

namespace Orleans.WireGuard;

/// <summary>
/// The private side of a node; the grain key is the node name. Lives on that node's own silo and nowhere else: it owns the key pair, which
/// never leaves the process, and rotates it.
/// </summary>
[Alias("owg.INodeGrain")]
public interface INodeGrain : IGrainWithStringKey
{
    /// <summary>Key, epoch, device, delivery and refusals of this node. Changes nothing.</summary>
    /// <exception cref="NodeUnavailableException">The node's silo is not an active member.</exception>
    [Alias("GetStatus"), AlwaysInterleave]
    Task<NodeStatus> GetStatus(CancellationToken cancellationToken = default);

    /// <summary>Replaces the key now and in place, without waiting for the next epoch. Packets in flight may be lost.</summary>
    /// <returns>After the device uses the new key and the announcement was handed to the PeerGrain.</returns>
    /// <exception cref="NodeUnavailableException">The node's silo is not an active member.</exception>
    /// <exception cref="RotationFailedException">The device did not take the key in time; nothing was announced.</exception>
    [Alias("Rotate"), AlwaysInterleave]
    Task<RotationReceipt> Rotate(CancellationToken cancellationToken = default);

    /// <summary>Brings the key of the next epoch forward: hitless, like the rotation that its time would have brought.</summary>
    /// <returns>After the device uses the new key and the announcement was handed to the PeerGrain.</returns>
    /// <exception cref="NodeUnavailableException">The node's silo is not an active member.</exception>
    /// <exception cref="RotationRefusedException">
    /// The node is frozen, or has that key already, or peers still depend on the key that it would replace. Nothing was changed.
    /// </exception>
    /// <exception cref="RotationFailedException">The device did not take the key in time; nothing was announced.</exception>
    [Alias("Advance"), AlwaysInterleave]
    Task<RotationReceipt> Advance(CancellationToken cancellationToken = default);

    /// <summary>Keeps the keys that the node has. Outlives a restart of the silo.</summary>
    /// <param name="duration">For how long; positive, at most 1 day.</param>
    /// <param name="cancellationToken">Ends the call, not the freeze.</param>
    /// <returns>Until when.</returns>
    /// <exception cref="NodeUnavailableException">The node's silo is not an active member.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The duration is not positive, or longer than a day.</exception>
    [Alias("Freeze"), AlwaysInterleave]
    Task<DateTimeOffset> Freeze(TimeSpan duration, CancellationToken cancellationToken = default);

    /// <summary>Has the node rotate again. Harmless if it is not frozen.</summary>
    /// <exception cref="NodeUnavailableException">The node's silo is not an active member.</exception>
    [Alias("Unfreeze"), AlwaysInterleave]
    Task Unfreeze(CancellationToken cancellationToken = default);
}
