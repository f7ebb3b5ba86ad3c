using Orleans.Services;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The receiving end of announcements: exactly one for each silo, addressed by silo.</summary>
[Alias("owg.IPeerService")]
internal partial interface IPeerService : IGrainService
{
    /// <summary>Takes an announcement and answers when the local device holds it. Repeating it is harmless.</summary>
    [Alias("Receive")]
    Task<AnnouncementReceipt> Receive(PeerAnnouncement announcement);

    /// <summary>
    /// Takes an announcement of addresses and answers when the local devices have what of it counts. Repeating it is harmless.
    /// </summary>
    [Alias("ReceiveAddresses")]
    Task<AnnouncementReceipt> ReceiveAddresses(AddressAnnouncement announcement);

    /// <summary>Compares what both silos hold.</summary>
    /// <param name="digest">What the caller holds.</param>
    /// <returns>What the caller lacks, and what it should send.</returns>
    [Alias("Exchange")]
    Task<DigestReply> Exchange(MeshDigest digest);

    /// <summary>Says through which slot this node sends to another one.</summary>
    /// <param name="nodeName">The other one, which asks before it replaces a key.</param>
    [Alias("GetPath")]
    Task<PathReply> GetPath(string nodeName);
}
