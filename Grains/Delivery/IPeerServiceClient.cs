namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>Calls the PeerService of another silo. A seam, so that a test can lose and delay messages.</summary>
internal interface IPeerServiceClient
{
    /// <inheritdoc cref="IPeerService.Receive"/>
    Task<AnnouncementReceipt> ReceiveAsync(SiloAddress silo, PeerAnnouncement announcement);

    /// <inheritdoc cref="IPeerService.ReceiveAddresses"/>
    Task<AnnouncementReceipt> ReceiveAddressesAsync(SiloAddress silo, AddressAnnouncement announcement);

    /// <inheritdoc cref="IPeerService.Exchange"/>
    Task<DigestReply> ExchangeAsync(SiloAddress silo, MeshDigest digest);

    /// <inheritdoc cref="IPeerService.GetPath"/>
    Task<PathReply> GetPathAsync(SiloAddress silo, string nodeName);
}
