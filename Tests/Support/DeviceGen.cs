using System.Net;
using CsCheck;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Random devices and patches for property tests.</summary>
internal static class DeviceGen
{
    /// <summary>32 random bytes.</summary>
    public static readonly Gen<PublicKey> PublicKey = Gen.Byte.Array[32].Select(bytes => new PublicKey(bytes));

    /// <summary>IPv4 and IPv6 prefixes of every length.</summary>
    public static readonly Gen<IPPrefix> Prefix = Gen.OneOf(
        Gen.Select(Gen.Byte.Array[4], Gen.Int[0, 32], ToPrefix),
        Gen.Select(Gen.Byte.Array[16], Gen.Int[0, 128], ToPrefix));

    /// <summary>IPv4 and IPv6 endpoints; some of the latter with a zone.</summary>
    public static readonly Gen<IPEndPoint> Endpoint = Gen.OneOf(
        Gen.Select(Gen.Byte.Array[4], Gen.UShort, (bytes, port) => new IPEndPoint(new IPAddress(bytes), port)),
        Gen.Select(
            Gen.Byte.Array[16], Gen.UInt[0, 9], Gen.UShort, (bytes, zone, port) => new IPEndPoint(new IPAddress(bytes, zone), port)));

    /// <summary>What a keepalive can be: off, or up to 65535 whole seconds.</summary>
    public static readonly Gen<TimeSpan> Keepalive = Gen.UShort.Select(seconds => TimeSpan.FromSeconds(seconds));

    /// <summary>A peer of a device. Its handshake has the precision of a tick.</summary>
    public static readonly Gen<DevicePeer> Peer = Gen.Select(
        PublicKey,
        Gen.Null(Endpoint),
        Prefix.Array[0, 4],
        Keepalive,
        Gen.Nullable(Gen.Long[1, DateTime.MaxValue.Ticks - DateTime.UnixEpoch.Ticks]),
        Gen.Long[0, long.MaxValue],
        Gen.Long[0, long.MaxValue],
        (key, endpoint, prefixes, keepalive, handshake, received, transmitted) => new DevicePeer(
            key,
            endpoint,
            [.. prefixes.Distinct().Order()],
            keepalive,
            handshake is { } ticks ? DateTimeOffset.UnixEpoch.AddTicks(ticks) : null,
            received,
            transmitted));

    /// <summary>A device without a key.</summary>
    public static readonly Gen<Device> Device = Gen.Select(
        Gen.UShort,
        Gen.UInt,
        Peer.Array[0, 6],
        (port, mark, peers) => new Device(
            "cilium_wg0", null, port, mark, [.. peers.DistinctBy(peer => peer.PublicKey).OrderBy(peer => peer.PublicKey)]));

    /// <summary>A change of one peer that a device can be told.</summary>
    public static readonly Gen<PeerPatch> PeerPatch = PeerPatchOf(PublicKey, Prefix);

    /// <summary>A change of one of some peers, with some prefixes.</summary>
    public static Gen<PeerPatch> PeerPatchOf(Gen<PublicKey> publicKey, Gen<IPPrefix> prefix) => Gen.OneOf(
        publicKey.Select(key => new PeerPatch(key, PeerChange.Remove)),
        Gen.Select(
            publicKey,
            Gen.OneOf(Gen.Const(PeerChange.Add), Gen.Const(PeerChange.Update), Gen.Const(PeerChange.Reset)),
            Gen.Null(Endpoint),
            Gen.Nullable(Keepalive),
            prefix.Array[0, 4],
            Gen.Bool,
            (key, change, endpoint, keepalive, prefixes, replace) => new PeerPatch(
                key,
                change,
                endpoint,
                keepalive,
                replace || prefixes.Length > 0 ? prefixes.Distinct().ToEquatableArray() : null,
                replace)));

    /// <summary>A patch without a key.</summary>
    public static readonly Gen<DevicePatch> Patch = Gen.Select(
        Gen.Nullable(Gen.UShort),
        Gen.Nullable(Gen.UInt),
        PeerPatch.Array[0, 6],
        (port, mark, peers) => new DevicePatch(null, port, [.. peers]) { FirewallMark = mark });

    private static IPPrefix ToPrefix(byte[] bytes, int length)
    {
        for (var bit = length; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        return new IPPrefix(new IPAddress(bytes), length);
    }
}
