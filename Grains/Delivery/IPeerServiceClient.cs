namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>Calls the PeerService of another silo. A seam, so that a test can lose and delay messages.</summary>
internal interface IPeerServiceClient
{
    /// <inheritdoc cref="IPeerService.Receive"/>
    Task<AnnouncementReceipt> Receive(SiloAddress silo, PeerAnnouncement announcement);

    /// <inheritdoc cref="IPeerService.Exchange"/>
    Task<DigestReply> Exchange(SiloAddress silo, MeshDigest digest);

    /// <inheritdoc cref="IPeerService.GetPath"/>
    Task<PathReply> GetPath(SiloAddress silo, string nodeName);
}
