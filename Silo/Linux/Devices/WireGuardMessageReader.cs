using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

// Reads the dump of WG_CMD_GET_DEVICE: linux/wireguard.h, drivers/net/wireguard/netlink.c (wg_get_device_dump).

namespace Orleans.WireGuard.Linux.Devices;

/// <summary>Puts a device together from the messages of a dump.</summary>
/// <remarks>
/// The first message has the device's own values; the following ones have peers only. A peer whose allowed IPs did not fit comes again in
/// the next message with its key and the rest.
/// </remarks>
internal sealed class WireGuardMessageReader
{
    // MAX_PEERS_PER_DEVICE of drivers/net/wireguard/messages.h.
    private const int MaxPeers = 1 << 20;

    private const int SockAddrInSize = 16;
    private const int SockAddrIn6Size = 28;
    private const int TimespecSize = 16;
    private const int NanosecondsPerSecond = 1_000_000_000;

    private readonly ushort _family;
    private readonly List<Peer> _peers = [];
    private PublicKey? _publicKey;
    private ushort _listenPort;
    private uint _firewallMark;

    /// <summary>Starts with an empty device.</summary>
    /// <param name="family">Number of the family <c>wireguard</c>.</param>
    public WireGuardMessageReader(ushort family) => _family = family;

    /// <summary>Reads the private key of a dump's message, or <see langword="null"/> if it has none. The caller disposes it.</summary>
    /// <exception cref="NetlinkFormatException">The message is not part of a dump.</exception>
    public static KeyPair? ReadKeyPair(in NetlinkMessage message, ushort family)
    {
        var reader = Begin(message, family);
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == WGDEVICE_A_PRIVATE_KEY && attribute.Exactly(WG_KEY_LEN).ContainsAnyExcept((byte)0))
            {
                return KeyPair.Import(attribute.Value);
            }
        }

        return null;
    }

    /// <summary>Reads the next message of the dump. Leaves the private key where it is.</summary>
    /// <exception cref="NetlinkFormatException">The message is not part of a dump.</exception>
    public void Read(in NetlinkMessage message)
    {
        var reader = Begin(message, _family);
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case WGDEVICE_A_PUBLIC_KEY:
                    _publicKey = new PublicKey(attribute.Exactly(WG_KEY_LEN));
                    break;
                case WGDEVICE_A_LISTEN_PORT:
                    _listenPort = attribute.AsUInt16();
                    break;
                case WGDEVICE_A_FWMARK:
                    _firewallMark = attribute.AsUInt32();
                    break;
                case WGDEVICE_A_PEERS:
                    ReadPeers(attribute.AsNested());
                    break;
            }
        }
    }

    /// <summary>What was read.</summary>
    /// <param name="name">Interface name.</param>
    public Device ToDevice(string name)
    {
        var peers = _peers.ConvertAll(peer => peer.ToDevicePeer());
        peers.Sort((left, right) => left.PublicKey.CompareTo(right.PublicKey));
        return new Device(name, _publicKey, _listenPort, _firewallMark, [.. peers]);
    }

    private static NetlinkReader Begin(in NetlinkMessage message, ushort family)
    {
        var reader = new NetlinkReader(message.Payload);
        if (message.Type != family)
        {
            throw new NetlinkFormatException($"A message of family {family} was expected, one of type {message.Type} came.");
        }

        reader.ReadPast(GenericNetlink.HeaderSize);
        return reader;
    }

    private void ReadPeers(NetlinkReader reader)
    {
        while (reader.TryReadAttribute(out var attribute))
        {
            ReadPeer(attribute.AsNested());
        }
    }

    private void ReadPeer(NetlinkReader reader)
    {
        // The key is the first attribute of a peer (netlink.c, get_peer), and decides whether this is the rest of the last one.
        if (!reader.TryReadAttribute(out var first) || first.Type != WGPEER_A_PUBLIC_KEY)
        {
            throw new NetlinkFormatException("A peer that does not start with its public key came.");
        }

        var key = new PublicKey(first.Exactly(WG_KEY_LEN));
        var peer = _peers.Count > 0 && _peers[^1].PublicKey == key ? _peers[^1] : Add(key);
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case WGPEER_A_ENDPOINT:
                    peer.Endpoint = ReadEndpoint(attribute);
                    break;
                case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
                    peer.KeepaliveSeconds = attribute.AsUInt16();
                    break;
                case WGPEER_A_LAST_HANDSHAKE_TIME:
                    peer.LastHandshakeTime = ReadTime(attribute);
                    break;
                case WGPEER_A_RX_BYTES:
                    peer.ReceiveBytes = attribute.AsUInt64();
                    break;
                case WGPEER_A_TX_BYTES:
                    peer.TransmitBytes = attribute.AsUInt64();
                    break;
                case WGPEER_A_ALLOWEDIPS:
                    ReadAllowedIPs(attribute.AsNested(), peer.AllowedIPs);
                    break;
            }
        }
    }

    private Peer Add(PublicKey key)
    {
        if (_peers.Count == MaxPeers)
        {
            throw new NetlinkFormatException($"A device has up to {MaxPeers} peers; more came.");
        }

        var peer = new Peer(key);
        _peers.Add(peer);
        return peer;
    }

    private static void ReadAllowedIPs(NetlinkReader reader, List<IPPrefix> allowedIPs)
    {
        while (reader.TryReadAttribute(out var attribute))
        {
            allowedIPs.Add(ReadAllowedIP(attribute.AsNested()));
        }
    }

    private static IPPrefix ReadAllowedIP(NetlinkReader reader)
    {
        IPAddress? address = null;
        int? length = null;
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case WGALLOWEDIP_A_IPADDR:
                    address = attribute.AsIPAddress();
                    break;
                case WGALLOWEDIP_A_CIDR_MASK:
                    length = attribute.AsByte();
                    break;
            }
        }

        if (address is null || length is null)
        {
            throw new NetlinkFormatException("An allowed IP without address or length came.");
        }

        try
        {
            return new IPPrefix(address, length.Value);
        }
        catch (ArgumentException e)
        {
            throw new NetlinkFormatException($"An allowed IP that is none came: {e.Message}");
        }
    }

    private static IPEndPoint ReadEndpoint(in NetlinkAttribute attribute)
    {
        var value = attribute.Value;
        var family = value.Length < sizeof(ushort) ? 0 : MemoryMarshal.Read<ushort>(value);
        return (family, value.Length) switch
        {
            (AF_INET, SockAddrInSize) => new(new IPAddress(value[4..8]), BinaryPrimitives.ReadUInt16BigEndian(value[2..])),
            (AF_INET6, SockAddrIn6Size) => new(
                new IPAddress(value[8..24], MemoryMarshal.Read<uint>(value[24..])), BinaryPrimitives.ReadUInt16BigEndian(value[2..])),
            _ => throw new NetlinkFormatException($"An endpoint of family {family} with {value.Length} bytes came."),
        };
    }

    // struct __kernel_timespec: 64-bit seconds and nanoseconds since 1970; zero before the first handshake.
    private static DateTimeOffset? ReadTime(in NetlinkAttribute attribute)
    {
        var value = attribute.Exactly(TimespecSize);
        var (seconds, nanoseconds) = (MemoryMarshal.Read<long>(value), MemoryMarshal.Read<long>(value[sizeof(long)..]));
        if (seconds < 0 || seconds >= DateTimeOffset.MaxValue.ToUnixTimeSeconds() || nanoseconds is < 0 or >= NanosecondsPerSecond)
        {
            throw new NetlinkFormatException($"A handshake at {seconds} s and {nanoseconds} ns since 1970 came.");
        }

        return (seconds, nanoseconds) == (0, 0)
            ? null
            : DateTimeOffset.FromUnixTimeSeconds(seconds).AddTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
    }

    // A peer while its messages come in.
    private sealed class Peer(PublicKey publicKey)
    {
        public PublicKey PublicKey { get; } = publicKey;

        public List<IPPrefix> AllowedIPs { get; } = [];

        public IPEndPoint? Endpoint { get; set; }

        public ushort KeepaliveSeconds { get; set; }

        public DateTimeOffset? LastHandshakeTime { get; set; }

        public ulong ReceiveBytes { get; set; }

        public ulong TransmitBytes { get; set; }

        public DevicePeer ToDevicePeer()
        {
            AllowedIPs.Sort();
            return new DevicePeer(
                PublicKey,
                Endpoint,
                [.. AllowedIPs],
                TimeSpan.FromSeconds(KeepaliveSeconds),
                LastHandshakeTime,
                (long)Math.Min(ReceiveBytes, long.MaxValue),
                (long)Math.Min(TransmitBytes, long.MaxValue));
        }
    }
}
