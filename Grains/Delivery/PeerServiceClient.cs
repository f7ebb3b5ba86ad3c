using Orleans.Runtime.Services;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The calls over Orleans: acknowledged, because a one-way call is lost without a sound when a connection drops.</summary>
internal sealed partial class PeerServiceClient(IServiceProvider services) : GrainServiceClient<IPeerService>(services), IPeerServiceClient
{
    /// <inheritdoc/>
    public Task<AnnouncementReceipt> ReceiveAsync(SiloAddress silo, PeerAnnouncement announcement) =>
        GetGrainService(silo).Receive(announcement);

    /// <inheritdoc/>
    public Task<AnnouncementReceipt> ReceiveAddressesAsync(SiloAddress silo, AddressAnnouncement announcement) =>
        GetGrainService(silo).ReceiveAddresses(announcement);

    /// <inheritdoc/>
    public Task<DigestReply> ExchangeAsync(SiloAddress silo, MeshDigest digest) => GetGrainService(silo).Exchange(digest);

    /// <inheritdoc/>
    public Task<PathReply> GetPathAsync(SiloAddress silo, string nodeName) => GetGrainService(silo).GetPath(nodeName);
}
