using Orleans.WireGuard.Grains.Delivery;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Delivers as the real one does, except for what the test wants lost, delayed or altered.</summary>
internal sealed class LossyPeerServiceClient(PeerServiceClient inner) : IPeerServiceClient
{
    private int _lost;

    /// <summary>Which announcements to lose; none by default.</summary>
    public Func<SiloAddress, PeerAnnouncement, bool> IsLost { get; set; } = static (_, _) => false;

    /// <summary>How long every announcement takes longer; by default it does not.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>How long every question for a path, and so for a clock, takes longer; by default it does not.</summary>
    public TimeSpan PathDelay { get; init; }

    /// <summary>What a silo says that it speaks; by default what it really says.</summary>
    public Func<SiloAddress, ProtocolRange?, ProtocolRange?> Protocol { get; set; } = static (_, said) => said;

    /// <summary>What becomes of an announcement that a silo passes on; by default nothing.</summary>
    public Func<SiloAddress, PeerAnnouncement, PeerAnnouncement> PassOn { get; set; } = static (_, announcement) => announcement;

    /// <summary>How many were lost so far.</summary>
    public int Lost => Volatile.Read(ref _lost);

    /// <inheritdoc/>
    public async Task<AnnouncementReceipt> ReceiveAsync(SiloAddress silo, PeerAnnouncement announcement)
    {
        if (Delay > TimeSpan.Zero)
        {
            await Task.Delay(Delay, TimeProvider.System);
        }

        if (!IsLost(silo, announcement))
        {
            return await inner.ReceiveAsync(silo, announcement);
        }

        Interlocked.Increment(ref _lost);
        throw new TimeoutException("The test lost this message.");
    }

    /// <inheritdoc/>
    public Task<AnnouncementReceipt> ReceiveAddressesAsync(SiloAddress silo, AddressAnnouncement announcement) =>
        inner.ReceiveAddressesAsync(silo, announcement);

    /// <inheritdoc/>
    public async Task<DigestReply> ExchangeAsync(SiloAddress silo, MeshDigest digest)
    {
        var reply = await inner.ExchangeAsync(silo, digest);
        return reply with
        {
            Protocol = Protocol(silo, reply.Protocol),
            Newer = reply.Newer.Select(newer => PassOn(silo, newer)).ToEquatableArray(),
        };
    }

    /// <inheritdoc/>
    public async Task<PathReply> GetPathAsync(SiloAddress silo, string nodeName)
    {
        if (PathDelay > TimeSpan.Zero)
        {
            await Task.Delay(PathDelay, TimeProvider.System);
        }

        var reply = await inner.GetPathAsync(silo, nodeName);
        return reply with { Protocol = Protocol(silo, reply.Protocol) };
    }
}
