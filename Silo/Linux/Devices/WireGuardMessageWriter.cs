using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

// Writes WG_CMD_GET_DEVICE and WG_CMD_SET_DEVICE: linux/wireguard.h, drivers/net/wireguard/netlink.c.

namespace Orleans.WireGuard.Linux.Devices;

/// <summary>
/// Cuts a patch into WG_CMD_SET_DEVICE messages that fit a buffer. The kernel applies a message from its start to its end, and messages one
/// after another, so the patch's order is the order in which its peers change: nothing here may sort them.
/// </summary>
/// <remarks>
/// A peer whose allowed IPs do not fit goes on in the next message with nothing but its key and the rest. That part carries
/// WGPEER_F_UPDATE_ONLY: if someone removed the peer in between, it must not come back without an endpoint. It never carries
/// WGPEER_F_REPLACE_ALLOWEDIPS, which would drop the first part. A reset is two peers one after the other, the removal and the addition,
/// which are never in different messages: if the second one failed, the peer would be gone.
/// </remarks>
internal struct WireGuardMessageWriter
{
    private const int SockAddrInSize = 16;
    private const int SockAddrIn6Size = 28;

    private readonly ushort _family;
    private readonly string _name;
    private readonly DevicePatch _patch;
    private bool _started;
    private int _peer;
    private int _allowedIP;

    /// <summary>Starts at the beginning of <paramref name="patch"/>.</summary>
    /// <param name="family">Number of the family <c>wireguard</c>.</param>
    /// <param name="name">Interface name.</param>
    /// <param name="patch">What to change.</param>
    public WireGuardMessageWriter(ushort family, string name, DevicePatch patch)
    {
        _family = family;
        _name = name;
        _patch = patch;
    }

    /// <summary>Writes the request for a dump of a device.</summary>
    public static Span<byte> WriteGetDevice(Span<byte> buffer, ushort family, string name)
    {
        var writer = GenericNetlink.Begin(buffer, family, NLM_F_REQUEST | NLM_F_DUMP, WG_CMD_GET_DEVICE, WG_GENL_VERSION);
        writer.WriteString(WGDEVICE_A_IFNAME, name);
        return writer.Complete();
    }

    /// <summary>Writes the next message, or returns <see langword="false"/> if the patch is all written.</summary>
    /// <param name="buffer">
    /// Up to <see cref="NetlinkConnection.MaxRequestSize"/> bytes. May hold the private key afterwards: zero it.
    /// </param>
    /// <param name="message">The message in <paramref name="buffer"/>.</param>
    /// <exception cref="NetlinkFormatException"><paramref name="buffer"/> is too small for a single peer.</exception>
    public bool TryWriteNext(Span<byte> buffer, out Span<byte> message)
    {
        message = default;
        if (_started && _peer == _patch.Peers.Count)
        {
            return false;
        }

        var writer = GenericNetlink.Begin(buffer, _family, NLM_F_REQUEST | NLM_F_ACK, WG_CMD_SET_DEVICE, WG_GENL_VERSION);
        writer.WriteString(WGDEVICE_A_IFNAME, _name);
        if (!_started)
        {
            WriteDevice(ref writer, _patch);
            _started = true;
        }

        if (_peer < _patch.Peers.Count)
        {
            WritePeers(ref writer);
        }

        message = writer.Complete();
        return true;
    }

    private static void WriteDevice(ref NetlinkWriter writer, DevicePatch patch)
    {
        if (patch.KeyPair is { } keyPair)
        {
            var key = writer.Reserve(WGDEVICE_A_PRIVATE_KEY, KeyPair.PrivateKeySize);
            keyPair.ExportPrivateKey(key);
            Clamp(key);
        }
        else if (patch.ClearKey)
        {
            // All zero is no key; clamped it would be one.
            writer.Reserve(WGDEVICE_A_PRIVATE_KEY, KeyPair.PrivateKeySize).Clear();
        }

        if (patch.ListenPort is { } port)
        {
            writer.WriteUInt16(WGDEVICE_A_LISTEN_PORT, port);
        }

        if (patch.FirewallMark is { } mark)
        {
            writer.WriteUInt32(WGDEVICE_A_FWMARK, mark);
        }
    }

    // Bits that X25519 ignores (RFC 7748, section 5). The kernel keeps the key clamped and leaves the sessions alone only if the new key's
    // bytes are equal (netlink.c, wg_set_device); an unclamped copy of the same key ends every session, for 5 s each.
    private static void Clamp(Span<byte> key)
    {
        key[0] &= 0b1111_1000;
        key[^1] = (byte)((key[^1] & 0b0111_1111) | 0b0100_0000);
    }

    private void WritePeers(ref NetlinkWriter writer)
    {
        var (firstPeer, firstAllowedIP) = (_peer, _allowedIP);
        var peers = writer.BeginNested(WGDEVICE_A_PEERS);
        while (_peer < _patch.Peers.Count && TryWritePeer(ref writer, _patch.Peers[_peer]))
        {
            _peer++;
            _allowedIP = 0;
        }

        if ((_peer, _allowedIP) == (firstPeer, firstAllowedIP))
        {
            throw new NetlinkFormatException($"A message of {writer.Length + writer.Remaining} bytes holds no peer.");
        }

        writer.EndNested(peers);
    }

    // Returns whether all of the peer is written.
    private bool TryWritePeer(ref NetlinkWriter writer, PeerPatch peer)
    {
        var continued = _allowedIP > 0;
        var isReset = peer.Change == PeerChange.Reset && !continued;
        var flags = Flags(peer, continued);
        var bare = continued || peer.Change == PeerChange.Remove;
        var endpoint = bare ? null : peer.Endpoint?.Unmap();
        var keepalive = bare ? null : peer.PersistentKeepaliveInterval;
        var allowedIPs = peer.Change == PeerChange.Remove ? default : peer.AllowedIPs.GetValueOrDefault().AsSpan();
        var size = HeadSize(flags, endpoint, keepalive) + (allowedIPs.IsEmpty ? 0 : ListSize(allowedIPs[_allowedIP]));
        if (writer.Remaining < size + (isReset ? HeadSize(WGPEER_F_REMOVE_ME, null, null) : 0))
        {
            return false;
        }

        if (isReset)
        {
            writer.EndNested(BeginPeer(ref writer, peer.PublicKey, WGPEER_F_REMOVE_ME));
        }

        var nested = BeginPeer(ref writer, peer.PublicKey, flags);
        if (endpoint is not null)
        {
            WriteEndpoint(ref writer, endpoint);
        }

        if (keepalive is { } interval)
        {
            writer.WriteUInt16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, KeepaliveInterval.ToSeconds(interval));
        }

        if (!allowedIPs.IsEmpty)
        {
            WriteAllowedIPs(ref writer, allowedIPs);
        }

        writer.EndNested(nested);
        return _allowedIP == allowedIPs.Length;
    }

    private static int BeginPeer(ref NetlinkWriter writer, PublicKey publicKey, uint flags)
    {
        var nested = writer.BeginNested(0);
        publicKey.CopyTo(writer.Reserve(WGPEER_A_PUBLIC_KEY, WG_KEY_LEN));
        if (flags != 0)
        {
            writer.WriteUInt32(WGPEER_A_FLAGS, flags);
        }

        return nested;
    }

    private void WriteAllowedIPs(ref NetlinkWriter writer, ReadOnlySpan<IPPrefix> allowedIPs)
    {
        var list = writer.BeginNested(WGPEER_A_ALLOWEDIPS);
        for (; _allowedIP < allowedIPs.Length && writer.Remaining >= AllowedIPSize(allowedIPs[_allowedIP]); _allowedIP++)
        {
            var prefix = allowedIPs[_allowedIP];
            var nested = writer.BeginNested(0);
            writer.WriteUInt16(WGALLOWEDIP_A_FAMILY, (ushort)(prefix.IsIPv6 ? AF_INET6 : AF_INET));
            writer.WriteAddress(WGALLOWEDIP_A_IPADDR, prefix.Address);
            writer.WriteByte(WGALLOWEDIP_A_CIDR_MASK, (byte)prefix.Length);
            writer.EndNested(nested);
        }

        writer.EndNested(list);
    }

    private static uint Flags(PeerPatch peer, bool continued) => peer.Change switch
    {
        PeerChange.Remove => WGPEER_F_REMOVE_ME,
        _ when continued => WGPEER_F_UPDATE_ONLY,
        _ => (peer.Change == PeerChange.Update ? WGPEER_F_UPDATE_ONLY : 0) | (peer.ReplaceAllowedIPs ? WGPEER_F_REPLACE_ALLOWEDIPS : 0),
    };

    // struct sockaddr_in and sockaddr_in6: the port is in network byte order, the rest in host order.
    private static void WriteEndpoint(ref NetlinkWriter writer, IPEndPoint endpoint)
    {
        var isIPv6 = endpoint.AddressFamily == AddressFamily.InterNetworkV6;
        var address = writer.Reserve(WGPEER_A_ENDPOINT, isIPv6 ? SockAddrIn6Size : SockAddrInSize);
        MemoryMarshal.Write(address, (ushort)(isIPv6 ? AF_INET6 : AF_INET));
        BinaryPrimitives.WriteUInt16BigEndian(address[2..], (ushort)endpoint.Port);
        endpoint.Address.TryWriteBytes(address[(isIPv6 ? 8 : 4)..], out _);
        if (isIPv6)
        {
            MemoryMarshal.Write(address[24..], (uint)endpoint.Address.ScopeId);
        }
    }

    private static int HeadSize(uint flags, IPEndPoint? endpoint, TimeSpan? keepalive) =>
        NetlinkWriter.AttributeHeaderSize
        + NetlinkWriter.AttributeSize(WG_KEY_LEN)
        + (flags == 0 ? 0 : NetlinkWriter.AttributeSize(sizeof(uint)))
        + (keepalive is null ? 0 : NetlinkWriter.AttributeSize(sizeof(ushort)))
        + endpoint?.AddressFamily switch
        {
            null => 0,
            AddressFamily.InterNetworkV6 => NetlinkWriter.AttributeSize(SockAddrIn6Size),
            AddressFamily.InterNetwork => NetlinkWriter.AttributeSize(SockAddrInSize),
            var other => throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"An endpoint is IPv4 or IPv6, not {other}."), nameof(endpoint)),
        };

    private static int ListSize(IPPrefix first) => NetlinkWriter.AttributeHeaderSize + AllowedIPSize(first);

    private static int AllowedIPSize(IPPrefix prefix) =>
        NetlinkWriter.AttributeHeaderSize
        + NetlinkWriter.AttributeSize(sizeof(ushort))
        + NetlinkWriter.AttributeSize(prefix.IsIPv6 ? 16 : 4)
        + NetlinkWriter.AttributeSize(sizeof(byte));
}
