using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Tests.Unit.Linux.Devices;

/// <summary>
/// Texts of the shape that https://www.wireguard.com/xplatform/ shows, with keys made for these tests by <c>wg genkey</c>.
/// </summary>
internal static class UapiGolden
{
    public const string PrivateKey = "b0f38fe5eaa7586f9f3b7ecbc8eb21703a0802e8d79a98ac0e641accb5705057";
    public const string PresharedKey = "652f05dcdd3a7bcf97bdaf73c3c04d998ff470a34d084ced2f5945710a465adf";

    /// <summary>What <c>wg pubkey</c> prints for <see cref="PrivateKey"/>.</summary>
    public static readonly PublicKey Own = PublicKey.Parse("/L2PSlTYTwJ53Vpwn4bOGOgSiUS5UNkRq9uhfhMNSxA=");

    // In the order of their bytes.
    public static readonly PublicKey First = PublicKey.Parse("YUwE3JW6PBY857S3pyr3672g/sg1PCT2O1A7+QcgJB4=");
    public static readonly PublicKey Second = PublicKey.Parse("xkyWp6Z0byEXv5AGE0GfctMlt3hx5+3G54cjOZYlDA8=");
    public static readonly PublicKey Third = PublicKey.Parse("1JOPqiOdWPxmNcXr5s21Nqgs3xOyhRR3Fuz/BpTIDnE=");

    public const string GetReply =
        "private_key=b0f38fe5eaa7586f9f3b7ecbc8eb21703a0802e8d79a98ac0e641accb5705057\n" +
        "listen_port=51871\n" +
        "fwmark=3584\n" +
        "public_key=614c04dc95ba3c163ce7b4b7a72af7ebbda0fec8353c24f63b503bf90720241e\n" +
        "preshared_key=652f05dcdd3a7bcf97bdaf73c3c04d998ff470a34d084ced2f5945710a465adf\n" +
        "protocol_version=1\n" +
        "endpoint=[abcd:23::33%2]:51871\n" +
        "last_handshake_time_sec=0\n" +
        "last_handshake_time_nsec=0\n" +
        "tx_bytes=0\n" +
        "rx_bytes=0\n" +
        "persistent_keepalive_interval=0\n" +
        "allowed_ip=10.244.1.0/24\n" +
        "allowed_ip=fd00:10:244:1::/64\n" +
        "public_key=c64c96a7a6746f2117bf900613419f72d325b77871e7edc6e787233996250c0f\n" +
        "preshared_key=652f05dcdd3a7bcf97bdaf73c3c04d998ff470a34d084ced2f5945710a465adf\n" +
        "protocol_version=1\n" +
        "endpoint=182.122.22.19:3233\n" +
        "last_handshake_time_sec=1700000000\n" +
        "last_handshake_time_nsec=123456700\n" +
        "tx_bytes=38333\n" +
        "rx_bytes=2224\n" +
        "persistent_keepalive_interval=111\n" +
        "allowed_ip=192.168.4.6/32\n" +
        "public_key=d4938faa239d58fc6635c5ebe6cdb536a82cdf13b285147716ecff0694c80e71\n" +
        "preshared_key=652f05dcdd3a7bcf97bdaf73c3c04d998ff470a34d084ced2f5945710a465adf\n" +
        "protocol_version=1\n" +
        "last_handshake_time_sec=0\n" +
        "last_handshake_time_nsec=0\n" +
        "tx_bytes=0\n" +
        "rx_bytes=0\n" +
        "persistent_keepalive_interval=0\n" +
        "errno=0\n" +
        "\n";

    public const string SetRequest =
        "set=1\n" +
        "private_key=b0f38fe5eaa7586f9f3b7ecbc8eb21703a0802e8d79a98ac0e641accb5705057\n" +
        "listen_port=51871\n" +
        "public_key=614c04dc95ba3c163ce7b4b7a72af7ebbda0fec8353c24f63b503bf90720241e\n" +
        "replace_allowed_ips=true\n" +
        "allowed_ip=10.244.1.0/24\n" +
        "allowed_ip=fd00:10:244:1::/64\n" +
        "endpoint=[abcd:23::33%2]:51871\n" +
        "public_key=c64c96a7a6746f2117bf900613419f72d325b77871e7edc6e787233996250c0f\n" +
        "update_only=true\n" +
        "allowed_ip=192.168.4.6/32\n" +
        "endpoint=182.122.22.19:3233\n" +
        "persistent_keepalive_interval=111\n" +
        "public_key=d4938faa239d58fc6635c5ebe6cdb536a82cdf13b285147716ecff0694c80e71\n" +
        "remove=true\n" +
        "\n";

    public static readonly Device Device = new("cilium_wg0", Own, 51871, 0xe00,
    [
        new(First, new(System.Net.IPAddress.Parse("abcd:23::33%2"), 51871),
            [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:10:244:1::/64")], TimeSpan.Zero, null, 0, 0),
        new(Second, new(System.Net.IPAddress.Parse("182.122.22.19"), 3233), [IPPrefix.Parse("192.168.4.6/32")], TimeSpan.FromSeconds(111),
            new DateTimeOffset(2023, 11, 14, 22, 13, 20, TimeSpan.Zero).AddTicks(1234567), ReceiveBytes: 2224, TransmitBytes: 38333),
        new(Third, null, [], TimeSpan.Zero, null, 0, 0),
    ]);

    /// <summary>What <see cref="SetRequest"/> says, apart from the key.</summary>
    public static readonly DevicePatch Patch = new(null, 51871,
    [
        new(First, PeerChange.Add, new(System.Net.IPAddress.Parse("abcd:23::33%2"), 51871),
            AllowedIPs: [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:10:244:1::/64")], ReplaceAllowedIPs: true),
        new(Second, PeerChange.Update, new(System.Net.IPAddress.Parse("182.122.22.19"), 3233), TimeSpan.FromSeconds(111),
            [IPPrefix.Parse("192.168.4.6/32")]),
        new(Third, PeerChange.Remove),
    ]);
}
