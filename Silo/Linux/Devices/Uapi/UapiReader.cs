using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using System.Security.Cryptography;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>
/// Reads replies of the WireGuard cross-platform userspace protocol (https://www.wireguard.com/xplatform/). Keys that it does not know are
/// skipped, as the protocol asks for; a known key with a value it cannot read is a <see cref="FormatException"/>.
/// </summary>
internal static class UapiReader
{
    /// <summary>Longest line in bytes. The longest that is known has 78 (<c>preshared_key</c>).</summary>
    public const int MaxLineLength = 1024;

    /// <summary>Most peers of a device: the limit of wireguard-go itself (MaxPeers in device/constants.go).</summary>
    public const int MaxPeers = 1 << 16;

    /// <summary>Most allowed IPs of a device, over all its peers: IPv4 and IPv6 for the most peers, and as much again.</summary>
    public const int MaxAllowedIPs = 4 * MaxPeers;

    /// <summary>Longest reply in bytes: the most peers of about 1 KiB each.</summary>
    public const int MaxReplySize = MaxPeers * 1024;

    private const int NanosecondsPerSecond = 1_000_000_000;

    // The longest text of an address: an IPv6 address of 39 characters (RFC 4291), a zone of an interface's name, brackets, port, slash.
    private const int MaxAddressLength = 80;

    private static readonly long MaxUnixSeconds = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <summary>The errno at the end of a reply, as a positive number; 0 for success.</summary>
    /// <exception cref="FormatException">The reply is not whole, or is no reply.</exception>
    public static int ReadErrno(ReadOnlySpan<byte> reply) => new UapiLineReader(reply).Errno;

    /// <summary>Reads the device that a reply to <c>get</c> describes. Its private key is only used to derive the public one.</summary>
    /// <param name="name">Interface name, which the reply does not carry.</param>
    /// <param name="reply">A whole reply; the caller zeroes it.</param>
    /// <exception cref="FormatException">The reply is not whole, or is no reply, or exceeds a limit.</exception>
    public static Device ReadDevice(string name, ReadOnlySpan<byte> reply)
    {
        var lines = new UapiLineReader(reply);
        PublicKey? publicKey = null;
        ushort listenPort = 0;
        uint firewallMark = 0;
        var peers = new SortedDictionary<PublicKey, DevicePeer>();
        var allowedIPs = 0;
        PeerLines? peer = null;
        while (lines.Read())
        {
            switch (lines.Key)
            {
                case var key when key.SequenceEqual("public_key"u8):
                    Add(peers, peer, lines);
                    if (peers.Count == MaxPeers)
                    {
                        throw lines.Error($"is a peer above the limit of {MaxPeers}");
                    }

                    peer = new PeerLines(ReadPublicKey(lines));
                    break;

                case var key when key.SequenceEqual("errno"u8):
                    throw lines.Error("is an errno before the end");

                case var key when IsPeerKey(key):
                    if (peer is null)
                    {
                        throw lines.Error("belongs to a peer, but stands before the first one");
                    }

                    peer.Read(lines);
                    if (key.SequenceEqual("allowed_ip"u8) && ++allowedIPs > MaxAllowedIPs)
                    {
                        throw lines.Error($"is an allowed IP above the limit of {MaxAllowedIPs}");
                    }

                    break;

                case var key when IsDeviceKey(key) && peer is not null:
                    throw lines.Error("belongs to the device, but stands behind its first peer");

                case var key when key.SequenceEqual("private_key"u8):
                    using (var keyPair = ReadPrivateKey(lines))
                    {
                        publicKey = keyPair?.PublicKey;
                    }

                    break;

                case var key when key.SequenceEqual("listen_port"u8):
                    listenPort = ReadNumber<ushort>(lines);
                    break;

                case var key when key.SequenceEqual("fwmark"u8):
                    firewallMark = ReadNumber<uint>(lines);
                    break;
            }
        }

        Add(peers, peer, lines);
        return new Device(name, publicKey, listenPort, firewallMark, [.. peers.Values]);
    }

    /// <summary>Reads the device's key pair out of a reply to <c>get</c>, or <see langword="null"/> if it has none.</summary>
    /// <param name="reply">A whole reply; the caller zeroes it.</param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="FormatException">The reply is not whole, or is no reply.</exception>
    public static KeyPair? ReadKeyPair(ReadOnlySpan<byte> reply)
    {
        var lines = new UapiLineReader(reply);
        while (lines.Read() && !lines.Key.SequenceEqual("public_key"u8))
        {
            if (lines.Key.SequenceEqual("private_key"u8))
            {
                return ReadPrivateKey(lines);
            }
        }

        return null;
    }

    private static bool IsDeviceKey(ReadOnlySpan<byte> key) =>
        key.SequenceEqual("private_key"u8) || key.SequenceEqual("listen_port"u8) || key.SequenceEqual("fwmark"u8);

    private static bool IsPeerKey(ReadOnlySpan<byte> key) =>
        key.SequenceEqual("preshared_key"u8)
        || key.SequenceEqual("endpoint"u8)
        || key.SequenceEqual("persistent_keepalive_interval"u8)
        || key.SequenceEqual("allowed_ip"u8)
        || key.SequenceEqual("rx_bytes"u8)
        || key.SequenceEqual("tx_bytes"u8)
        || key.SequenceEqual("last_handshake_time_sec"u8)
        || key.SequenceEqual("last_handshake_time_nsec"u8)
        || key.SequenceEqual("protocol_version"u8);

    private static void Add(SortedDictionary<PublicKey, DevicePeer> peers, PeerLines? peer, UapiLineReader lines)
    {
        if (peer is not null && !peers.TryAdd(peer.PublicKey, peer.ToPeer(lines)))
        {
            throw lines.Error("ends a peer that was listed before");
        }
    }

    private static KeyPair? ReadPrivateKey(UapiLineReader lines)
    {
        Span<byte> key = stackalloc byte[KeyPair.PrivateKeySize];
        try
        {
            ReadHex(lines, key);

            // "No key" is all zeros in the protocol.
            return key.ContainsAnyExcept((byte)0) ? KeyPair.Import(key) : null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static PublicKey ReadPublicKey(UapiLineReader lines)
    {
        Span<byte> key = stackalloc byte[PublicKey.Size];
        ReadHex(lines, key);
        return new PublicKey(key);
    }

    private static void ReadHex(UapiLineReader lines, Span<byte> key)
    {
        if (lines.Value.Length != key.Length * 2
            || Convert.FromHexString(lines.Value, key, out _, out _) != System.Buffers.OperationStatus.Done)
        {
            throw lines.Error($"is not a key of {key.Length * 2} hexadecimal digits");
        }
    }

    private static T ReadNumber<T>(UapiLineReader lines)
        where T : struct, INumberBase<T>, IMinMaxValue<T> =>
        T.TryParse(lines.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw lines.Error($"is not a number from 0 to {T.MaxValue}");

    private static IPEndPoint ReadEndpoint(UapiLineReader lines)
    {
        Span<char> text = stackalloc char[MaxAddressLength];
        var endpoint = Widen(lines, text);
        var colon = endpoint.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(endpoint[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port))
        {
            throw lines.Error("is not an address and a port");
        }

        var host = endpoint[..colon];
        var isIPv6 = host.Length > 2 && host[0] == '[' && host[^1] == ']';
        host = isIPv6 ? host[1..^1] : host;
        var percent = host.IndexOf('%');
        var zone = percent < 0 ? default : host[(percent + 1)..];
        if (!IPAddress.TryParse(percent < 0 ? host : host[..percent], out var address)
            || isIPv6 != (address.AddressFamily == AddressFamily.InterNetworkV6)
            || (!isIPv6 && (percent >= 0 || host.Count('.') != 3)))
        {
            throw lines.Error("is not an address and a port");
        }

        // A zone may also be an interface's name; turning it into a number would ask the system, and the reader is pure.
        if (uint.TryParse(zone, NumberStyles.None, CultureInfo.InvariantCulture, out var scope))
        {
            address.ScopeId = scope;
        }

        return new IPEndPoint(address, port);
    }

    private static IPPrefix ReadPrefix(UapiLineReader lines)
    {
        Span<char> text = stackalloc char[MaxAddressLength];
        return lines.Value.Contains((byte)'/') && IPPrefix.TryParse(Widen(lines, text), out var prefix)
            ? prefix
            : throw lines.Error("is not a CIDR");
    }

    private static ReadOnlySpan<char> Widen(UapiLineReader lines, Span<char> text)
    {
        if (lines.Value.Length > text.Length)
        {
            throw lines.Error("is too long for an address");
        }

        for (var i = 0; i < lines.Value.Length; i++)
        {
            text[i] = (char)lines.Value[i];
        }

        return text[..lines.Value.Length];
    }

    /// <summary>The lines of one peer, as far as they came.</summary>
    private sealed class PeerLines(PublicKey publicKey)
    {
        private readonly ImmutableArray<IPPrefix>.Builder _allowedIPs = ImmutableArray.CreateBuilder<IPPrefix>();
        private IPEndPoint? _endpoint;
        private ushort _keepalive;
        private long _handshakeSeconds;
        private int _handshakeNanoseconds;
        private long _receiveBytes;
        private long _transmitBytes;

        public PublicKey PublicKey { get; } = publicKey;

        public void Read(UapiLineReader lines)
        {
            switch (lines.Key)
            {
                case var key when key.SequenceEqual("endpoint"u8):
                    _endpoint = ReadEndpoint(lines);
                    break;
                case var key when key.SequenceEqual("persistent_keepalive_interval"u8):
                    _keepalive = ReadNumber<ushort>(lines);
                    break;
                case var key when key.SequenceEqual("allowed_ip"u8):
                    _allowedIPs.Add(ReadPrefix(lines));
                    break;
                case var key when key.SequenceEqual("rx_bytes"u8):
                    _receiveBytes = ReadNumber<long>(lines);
                    break;
                case var key when key.SequenceEqual("tx_bytes"u8):
                    _transmitBytes = ReadNumber<long>(lines);
                    break;
                case var key when key.SequenceEqual("last_handshake_time_sec"u8):
                    _handshakeSeconds = ReadNumber<long>(lines);
                    if (_handshakeSeconds > MaxUnixSeconds)
                    {
                        throw lines.Error("is not a time");
                    }

                    break;
                case var key when key.SequenceEqual("last_handshake_time_nsec"u8):
                    _handshakeNanoseconds = ReadNumber<int>(lines);
                    if (_handshakeNanoseconds >= NanosecondsPerSecond)
                    {
                        throw lines.Error("is not a part of a second");
                    }

                    break;
                case var key when key.SequenceEqual("protocol_version"u8):
                    _ = ReadNumber<int>(lines);
                    break;
            }
        }

        public DevicePeer ToPeer(UapiLineReader lines)
        {
            _allowedIPs.Sort();
            for (var i = 1; i < _allowedIPs.Count; i++)
            {
                if (_allowedIPs[i] == _allowedIPs[i - 1])
                {
                    throw lines.Error("ends a peer that has an allowed IP twice");
                }
            }

            return new DevicePeer(
                PublicKey,
                _endpoint,
                new EquatableArray<IPPrefix>(_allowedIPs.DrainToImmutable()),
                TimeSpan.FromSeconds(_keepalive),
                _handshakeSeconds == 0 && _handshakeNanoseconds == 0
                    ? null
                    : DateTimeOffset.FromUnixTimeSeconds(_handshakeSeconds).AddTicks(_handshakeNanoseconds / TimeSpan.NanosecondsPerTick),
                _receiveBytes,
                _transmitBytes);
        }
    }
}
