using System.Text;
using CsCheck;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Linux.Devices;

/// <summary>What is understood of the userspace protocol's replies, and what is refused.</summary>
public sealed class UapiReaderTests
{
    private const string FirstPeer = "public_key=614c04dc95ba3c163ce7b4b7a72af7ebbda0fec8353c24f63b503bf90720241e\n";
    private const string SecondPeer = "public_key=c64c96a7a6746f2117bf900613419f72d325b77871e7edc6e787233996250c0f\n";
    private const string End = "errno=0\n\n";

    // Short enough to be sure that no part of a key of any use gets into a message.
    private const int SecretFragment = 6;

    [Fact]
    public void ReadDevice_Golden_GivesTheDevice() => Assert.Equal(UapiGolden.Device, Read(UapiGolden.GetReply));

    [Fact]
    public void ReadDevice_Golden_IsWhatADeviceWrites() => Assert.Equal(
        UapiGolden.GetReply,
        Encoding.ASCII.GetString(UapiText.FormatReply(UapiGolden.Device, UapiGolden.PrivateKey, UapiGolden.PresharedKey)));

    [Fact]
    public void ReadDevice_AnyDevice_IsWhatWasWritten() =>
        DeviceGen.Device.Sample(device => Assert.Equal(device, UapiReader.ReadDevice(device.Name, UapiText.FormatReply(device))));

    [Fact]
    public void ReadDevice_NothingSet_IsAnEmptyDevice() => Assert.Equal(new Device("cilium_wg0", null, 0, 0, []), Read(End));

    [Fact]
    public void ReadDevice_ZeroPrivateKey_IsNone() => Assert.Null(Read($"private_key={new string('0', 64)}\n{End}").PublicKey);

    [Fact]
    public void ReadDevice_UnknownKeys_AreSkipped() => Assert.Equal(
        Read($"listen_port=1\n{FirstPeer}rx_bytes=2\n{End}"),
        Read($"colour=blue\nlisten_port=1\nempty=\n{FirstPeer}mood=good=bad\nrx_bytes=2\n{End}"));

    [Fact]
    public void ReadDevice_PeersInAnyOrder_AreSorted() => Assert.Equal(
        [UapiGolden.First, UapiGolden.Second], Read($"{SecondPeer}{FirstPeer}{End}").Peers.Select(peer => peer.PublicKey));

    [Fact]
    public void ReadDevice_AllowedIPsInAnyOrder_AreSorted() => Assert.Equal(
        ["10.0.0.0/8", "10.1.0.0/16", "fd00::/8"],
        Read($"{FirstPeer}allowed_ip=fd00::/8\nallowed_ip=10.1.0.0/16\nallowed_ip=10.0.0.0/8\n{End}").Peers[0].AllowedIPs
            .Select(prefix => prefix.ToString()));

    [Fact]
    public void ReadDevice_EndpointWithNamedZone_LeavesTheZoneOut() =>
        Assert.Equal("[fe80::1]:5", Read($"{FirstPeer}endpoint=[fe80::1%eth0]:5\n{End}").Peers[0].Endpoint?.ToString());

    [Theory]
    [InlineData("0", 0)]
    [InlineData("-22", 22)]
    [InlineData("98", 98)]
    public void ReadErrno_EitherSign_IsPositive(string text, int expected) =>
        Assert.Equal(expected, UapiReader.ReadErrno(Encoding.ASCII.GetBytes($"errno={text}\n\n")));

    [Theory]
    [InlineData("listen_port=65536\n", "line 1")]
    [InlineData("listen_port=-1\n", "line 1")]
    [InlineData("listen_port= 1\n", "line 1")]
    [InlineData("listen_port=\n", "line 1")]
    [InlineData("fwmark=0x10\n", "line 1")]
    [InlineData("private_key=b0f38f\n", "64 hexadecimal digits")]
    [InlineData("no equals sign\n", "key=value")]
    [InlineData("=value\n", "key=value")]
    [InlineData("tab=\t\n", "key=value")]
    [InlineData("\nlisten_port=1\n", "key=value")]
    [InlineData("rx_bytes=1\n", "before the first one")]
    [InlineData("errno=0\n", "before the end")]
    [InlineData(FirstPeer + "listen_port=1\n", "behind its first peer")]
    [InlineData(FirstPeer + FirstPeer, "listed before")]
    [InlineData("public_key=zz4c04dc95ba3c163ce7b4b7a72af7ebbda0fec8353c24f63b503bf90720241e\n", "64 hexadecimal digits")]
    [InlineData(FirstPeer + "endpoint=192.0.2.1\n", "an address and a port")]
    [InlineData(FirstPeer + "endpoint=192.0.2:1\n", "an address and a port")]
    [InlineData(FirstPeer + "endpoint=2001:db8::1:1\n", "an address and a port")]
    [InlineData(FirstPeer + "endpoint=[192.0.2.1]:1\n", "an address and a port")]
    [InlineData(FirstPeer + "endpoint=192.0.2.1:65536\n", "an address and a port")]
    [InlineData(FirstPeer + "endpoint=node-1:51871\n", "an address and a port")]
    [InlineData(FirstPeer + "allowed_ip=10.0.0.0/33\n", "CIDR")]
    [InlineData(FirstPeer + "allowed_ip=10.0.0.1/8\n", "CIDR")]
    [InlineData(FirstPeer + "allowed_ip=10.0.0.0\n", "CIDR")]
    [InlineData(FirstPeer + "allowed_ip=10.0.0.0/8\nallowed_ip=10.0.0.0/8\n", "twice")]
    [InlineData(FirstPeer + "persistent_keepalive_interval=65536\n", "line 2")]
    [InlineData(FirstPeer + "last_handshake_time_sec=9223372036854775807\n", "not a time")]
    [InlineData(FirstPeer + "last_handshake_time_nsec=1000000000\n", "part of a second")]
    [InlineData(FirstPeer + "rx_bytes=9223372036854775808\n", "line 2")]
    [InlineData(FirstPeer + "protocol_version=one\n", "line 2")]
    public void ReadDevice_Garbage_SaysWhichLine(string lines, string expected) => Assert.Contains(
        expected, Assert.Throws<FormatException>(() => Read(lines + End)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("\n\n")]
    [InlineData("errno=0\n")]
    [InlineData("errno=0")]
    [InlineData("errno=\n\n")]
    [InlineData("errno=99999999999\n\n")]
    [InlineData("errno=-2147483648\n\n")]
    [InlineData("listen_port=1\n\n")]
    [InlineData("errno=0\n\nerrno=0\n")]
    public void ReadDevice_NoWholeReply_IsRefused(string reply) => Assert.Throws<FormatException>(() => Read(reply));

    [Fact]
    public void ReadDevice_EveryTruncation_IsRefused()
    {
        for (var length = 0; length < UapiGolden.GetReply.Length; length++)
        {
            Assert.Throws<FormatException>(() => Read(UapiGolden.GetReply[..length]));
        }
    }

    [Fact]
    public void ReadDevice_RandomBytes_AreRefusedOrRead() =>
        Gen.Byte.Array[0, 400].Sample(bytes => ReadOrRefuse([.. bytes, .. "\nerrno=0\n\n"u8]));

    [Fact]
    public void ReadDevice_MutatedReply_IsRefusedOrReadAndLeaksNothing() => Gen.Select(
            Gen.Int[0, UapiGolden.GetReply.Length - 1], Gen.Int[0, 40], Gen.Byte.Array[0, 20])
        .Sample((position, removed, inserted) =>
        {
            var reply = Encoding.ASCII.GetBytes(UapiGolden.GetReply);
            ReadOrRefuse([.. reply[..position], .. inserted, .. reply[Math.Min(position + removed, reply.Length)..]]);
        });

    [Fact]
    public void ReadDevice_LineAboveTheLimit_IsRefused()
    {
        Assert.Equal(1, Read($"x={new string('y', UapiReader.MaxLineLength - 2)}\nlisten_port=1\n{End}").ListenPort);

        AssertRefused($"x={new string('y', UapiReader.MaxLineLength - 1)}\n{End}", "longer than");
    }

    [Fact]
    public void ReadDevice_PeersAboveTheLimit_AreRefused()
    {
        var peers = new StringBuilder();
        for (var i = 0; i < UapiReader.MaxPeers; i++)
        {
            peers.Append($"public_key={i:x64}\n");
        }

        Assert.Equal(UapiReader.MaxPeers, Read(peers + End).Peers.Count);
        AssertRefused(peers + FirstPeer + End, "above the limit");
    }

    [Fact]
    public void ReadDevice_AllowedIPsAboveTheLimit_AreRefused()
    {
        var text = new StringBuilder(FirstPeer);
        for (var i = 0; i < UapiReader.MaxAllowedIPs; i++)
        {
            text.Append($"allowed_ip=10.{i >> 16}.{(i >> 8) & 255}.{i & 255}/32\n");
        }

        Assert.Equal(UapiReader.MaxAllowedIPs, Read(text + End).Peers[0].AllowedIPs.Count);
        AssertRefused(text + "allowed_ip=::/0\n" + End, "above the limit");
    }

    [Fact]
    public void ReadDevice_ReplyAboveTheLimit_IsRefused() =>
        Assert.Throws<FormatException>(() => UapiReader.ReadDevice("cilium_wg0", new byte[UapiReader.MaxReplySize + 1]));

    [Fact]
    public void ReadKeyPair_Golden_GivesThePair()
    {
        using var keyPair = UapiReader.ReadKeyPair(Encoding.ASCII.GetBytes(UapiGolden.GetReply));

        Assert.Equal(UapiGolden.Own, keyPair?.PublicKey);
        Assert.Equal(UapiGolden.PrivateKey, Export(keyPair!));
    }

    [Theory]
    [InlineData(End)]
    [InlineData("private_key=0000000000000000000000000000000000000000000000000000000000000000\n" + End)]
    [InlineData(FirstPeer + "private_key=b0f38fe5eaa7586f9f3b7ecbc8eb21703a0802e8d79a98ac0e641accb5705057\n" + End)]
    public void ReadKeyPair_NoKey_IsNull(string reply) => Assert.Null(UapiReader.ReadKeyPair(Encoding.ASCII.GetBytes(reply)));

    private static Device Read(string reply) => UapiReader.ReadDevice("cilium_wg0", Encoding.ASCII.GetBytes(reply));

    private static void AssertRefused(string reply, string expected) =>
        Assert.Contains(expected, Assert.Throws<FormatException>(() => Read(reply)).Message, StringComparison.Ordinal);

    private static void ReadOrRefuse(byte[] reply)
    {
        try
        {
            _ = UapiReader.ReadErrno(reply);
            _ = UapiReader.ReadDevice("cilium_wg0", reply);
            UapiReader.ReadKeyPair(reply)?.Dispose();
        }
        catch (FormatException e)
        {
            for (var i = 0; i + SecretFragment <= UapiGolden.PrivateKey.Length; i++)
            {
                Assert.DoesNotContain(UapiGolden.PrivateKey.Substring(i, SecretFragment), e.ToString(), StringComparison.OrdinalIgnoreCase);
            }
        }
    }

    private static string Export(KeyPair keyPair)
    {
        var bytes = new byte[KeyPair.PrivateKeySize];
        keyPair.ExportPrivateKey(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
