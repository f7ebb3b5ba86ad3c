using Orleans.Concurrency;

namespace Orleans.WireGuard;

/// <summary>
/// The public side of a node; the grain key is the node name. Lives on that node's own silo: it holds the node's current announcement,
/// delivers it to every active silo and keeps who has applied it.
/// </summary>
[Alias("owg.IPeerGrain")]
public interface IPeerGrain : IGrainWithStringKey
{
    /// <summary>The current announcement; <see langword="null"/> before the first one.</summary>
    /// <exception cref="NodeUnavailableException">The node's silo is not an active member.</exception>
    [Alias("GetAnnouncement"), AlwaysInterleave]
    ValueTask<PeerAnnouncement?> GetAnnouncement(CancellationToken cancellationToken = default);

    /// <summary>Who holds the current announcement.</summary>
    /// <exception cref="NodeUnavailableException">The node's silo is not an active member.</exception>
    [Alias("GetDelivery"), AlwaysInterleave]
    ValueTask<DeliveryStatus> GetDelivery(CancellationToken cancellationToken = default);

    /// <summary>Makes an announcement the current one and begins to deliver it. Does not wait for the receivers.</summary>
    /// <param name="announcement">Of this node, with a sequence above the current one.</param>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>
    /// <see cref="AnnouncementOutcome.Held"/>, or why it was refused; then the current announcement stays in force. A refusal is counted
    /// in <see cref="NodeStatus.Refusals"/>.
    /// </returns>
    /// <exception cref="NodeUnavailableException">The node's silo is not an active member.</exception>
    [Alias("Publish")]
    ValueTask<AnnouncementReceipt> Publish(PeerAnnouncement announcement, CancellationToken cancellationToken = default);
}
