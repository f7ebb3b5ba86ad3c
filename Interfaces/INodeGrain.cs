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
    [Alias("Rotate")]
    Task<RotationReceipt> Rotate(CancellationToken cancellationToken = default);
}
