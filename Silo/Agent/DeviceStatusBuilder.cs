using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Turns a device as it was read into what people and integrations see. Pure.</summary>
internal static class DeviceStatusBuilder
{
    /// <summary>A device in its node's status.</summary>
    /// <param name="slot">The slot that the device serves.</param>
    /// <param name="device">As read.</param>
    /// <param name="transport">How it was read.</param>
    /// <param name="mtu">Of its link; 0 if unknown.</param>
    /// <param name="announcements">What is held, to name the peers by.</param>
    /// <param name="clock">Since when the device has had its peers.</param>
    /// <param name="now">The time.</param>
    public static DeviceStatus Build(
        Slot slot,
        Device device,
        Transport transport,
        int mtu,
        IReadOnlyDictionary<string, PeerAnnouncement> announcements,
        KeyPairClock clock,
        SteadyTime now)
    {
        var names = announcements.Values.Where(announcement => announcement.Find(slot) is not null)
            .ToDictionary(announcement => announcement.Find(slot)!.PublicKey, announcement => announcement.NodeName);
        var peers = device.Peers.Select(peer => new PeerStatus(
            names.GetValueOrDefault(peer.PublicKey),
            peer.PublicKey,
            peer.Endpoint,
            peer.AllowedIPs,
            peer.LastHandshakeTime,
            peer.ReceiveBytes,
            peer.TransmitBytes,
            PeerStateCalculator.Calculate(clock.HandshakeAge(slot, peer.PublicKey, now), now - clock.Since(slot, peer.PublicKey))));
        return new DeviceStatus(
            slot,
            device.Name,
            transport,
            device.PublicKey,
            device.ListenPort,
            mtu,
            peers.OrderBy(peer => peer.NodeName, StringComparer.Ordinal).ThenBy(peer => peer.PublicKey).ToEquatableArray());
    }
}
