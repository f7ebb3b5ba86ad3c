using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Netlink;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>The other side of netlink: reads WG_CMD_SET_DEVICE requests as the kernel does.</summary>
internal static class NetlinkText
{
    /// <summary>
    /// The peers of a request in their order, as <c>set_peer</c> of drivers/net/wireguard/netlink.c takes them: a reset is a removal and an
    /// addition, and what did not fit into the request before is an update.
    /// </summary>
    public static List<PeerPatch> ReadPeers(ReadOnlySpan<byte> request)
    {
        List<PeerPatch> peers = [];
        new NetlinkReader(request).TryReadMessage(out var message);
        var reader = new NetlinkReader(message.Payload[GenericNetlink.HeaderSize..]);
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == NetlinkConstants.WGDEVICE_A_PEERS)
            {
                for (var list = attribute.AsNested(); list.TryReadAttribute(out var peer);)
                {
                    peers.Add(ReadPeer(peer.AsNested()));
                }
            }
        }

        return peers;
    }

    private static PeerPatch ReadPeer(NetlinkReader reader)
    {
        var peer = new PeerPatch(default, PeerChange.Add);
        uint flags = 0;
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case NetlinkConstants.WGPEER_A_PUBLIC_KEY:
                    peer = peer with { PublicKey = new PublicKey(attribute.Value) };
                    break;
                case NetlinkConstants.WGPEER_A_FLAGS:
                    flags = attribute.AsUInt32();
                    break;
                case NetlinkConstants.WGPEER_A_ENDPOINT:
                    peer = peer with { Endpoint = ReadEndpoint(attribute.Value) };
                    break;
                case NetlinkConstants.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
                    peer = peer with { PersistentKeepaliveInterval = TimeSpan.FromSeconds(attribute.AsUInt16()) };
                    break;
                case NetlinkConstants.WGPEER_A_ALLOWEDIPS:
                    peer = peer with { AllowedIPs = ReadAllowedIPs(attribute.AsNested()) };
                    break;
            }
        }

        // In the order in which the kernel asks for them.
        return (flags & NetlinkConstants.WGPEER_F_REMOVE_ME) != 0 ? peer with { Change = PeerChange.Remove }
            : peer with
            {
                Change = (flags & NetlinkConstants.WGPEER_F_UPDATE_ONLY) != 0 ? PeerChange.Update : PeerChange.Add,
                ReplaceAllowedIPs = (flags & NetlinkConstants.WGPEER_F_REPLACE_ALLOWEDIPS) != 0,
            };
    }

    // struct sockaddr_in and sockaddr_in6.
    private static IPEndPoint ReadEndpoint(ReadOnlySpan<byte> address)
    {
        var port = BinaryPrimitives.ReadUInt16BigEndian(address[2..]);
        return MemoryMarshal.Read<ushort>(address) == NetlinkConstants.AF_INET6
            ? new IPEndPoint(new IPAddress(address[8..24], MemoryMarshal.Read<uint>(address[24..])), port)
            : new IPEndPoint(new IPAddress(address[4..8]), port);
    }

    private static EquatableArray<IPPrefix> ReadAllowedIPs(NetlinkReader list)
    {
        List<IPPrefix> allowedIPs = [];
        while (list.TryReadAttribute(out var item))
        {
            var fields = item.AsNested();
            fields.TryReadAttribute(out _);
            fields.TryReadAttribute(out var address);
            fields.TryReadAttribute(out var length);
            allowedIPs.Add(new IPPrefix(address.AsIPAddress(), length.AsByte()));
        }

        return [.. allowedIPs];
    }
}
