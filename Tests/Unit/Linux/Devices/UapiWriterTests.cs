using System.Net;
using System.Text;
using CsCheck;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Linux.Devices;

/// <summary>What the userspace protocol is sent.</summary>
public sealed class UapiWriterTests
{
    private const string FirstPeer = "public_key=614c04dc95ba3c163ce7b4b7a72af7ebbda0fec8353c24f63b503bf90720241e\n";

    [Fact]
    public void WriteSet_Golden_GivesItsBytes()
    {
        using var keyPair = KeyPair.Import(Convert.FromHexString(UapiGolden.PrivateKey));

        Assert.Equal(UapiGolden.SetRequest, Write(UapiGolden.Patch with { KeyPair = keyPair }));
    }

    [Fact]
    public void WriteSet_Golden_IsReadBackByADevice()
    {
        var patch = UapiText.ParseSet(Encoding.ASCII.GetBytes(UapiGolden.SetRequest));
        using var keyPair = patch.KeyPair;

        Assert.Equal(UapiGolden.Own, keyPair?.PublicKey);
        Assert.Equal(UapiGolden.Patch, patch with { KeyPair = null });
    }

    [Fact]
    public void WriteSet_AnyPatch_IsReadBackByADevice() =>
        DeviceGen.Patch.Sample(patch => Assert.Equal(patch, UapiText.ParseSet(Encoding.ASCII.GetBytes(Write(patch)))));

    [Fact]
    public void WriteSet_AnyPatch_NeverReplacesPeers()
    {
        using var keyPair = KeyPair.Create();
        DeviceGen.Patch.Sample(patch =>
        {
            Assert.DoesNotContain("replace_peers", Write(patch), StringComparison.Ordinal);
            Assert.DoesNotContain("replace_peers", Write(patch with { KeyPair = keyPair }), StringComparison.Ordinal);
        });
    }

    [Fact]
    public void WriteSet_AnyPatch_NeverRemovesASinglePrefix() =>
        DeviceGen.Patch.Sample(patch => Assert.DoesNotContain("allowed_ip=-", Write(patch), StringComparison.Ordinal));

    [Fact]
    public void WriteSet_EmptyPatch_HasNoLine() => Assert.Equal("set=1\n\n", Write(DevicePatch.Empty));

    [Fact]
    public void WriteSet_ClearKey_WritesZeros() => Assert.Equal(
        "set=1\nprivate_key=0000000000000000000000000000000000000000000000000000000000000000\n\n",
        Write(DevicePatch.Empty with { ClearKey = true }));

    [Theory]
    [InlineData(0, "set=1\nlisten_port=0\n\n")]
    [InlineData(65535, "set=1\nlisten_port=65535\n\n")]
    public void WriteSet_ListenPort_IsWritten(int port, string expected) =>
        Assert.Equal(expected, Write(DevicePatch.Empty with { ListenPort = (ushort)port }));

    [Fact]
    public void WriteSet_PeerWithoutMembers_IsOnlyNamed() => Assert.Equal($"set=1\n{FirstPeer}\n", Write(Peer()));

    [Fact]
    public void WriteSet_Update_IsUpdateOnly() =>
        Assert.Equal($"set=1\n{FirstPeer}update_only=true\n\n", Write(Peer() with { Change = PeerChange.Update }));

    [Fact]
    public void WriteSet_Remove_IsRemove() =>
        Assert.Equal($"set=1\n{FirstPeer}remove=true\n\n", Write(Peer() with { Change = PeerChange.Remove }));

    [Fact]
    public void WriteSet_Reset_IsARemovalAndAnAddition() => Assert.Equal(
        $"set=1\n{FirstPeer}remove=true\n{FirstPeer}persistent_keepalive_interval=25\n\n",
        Write(Peer() with { Change = PeerChange.Reset, PersistentKeepaliveInterval = TimeSpan.FromSeconds(25) }));

    [Theory]
    [InlineData("192.0.2.7:51871")]
    [InlineData("[2001:db8::7]:51871")]
    [InlineData("[fe80::7%3]:51871")]
    public void WriteSet_Endpoint_IsWritten(string endpoint) =>
        Assert.Equal($"set=1\n{FirstPeer}endpoint={endpoint}\n\n", Write(Peer() with { Endpoint = IPEndPoint.Parse(endpoint) }));

    [Theory]
    [InlineData(0)]
    [InlineData(25)]
    [InlineData(65535)]
    public void WriteSet_Keepalive_IsWholeSeconds(int seconds) => Assert.Equal(
        $"set=1\n{FirstPeer}persistent_keepalive_interval={seconds}\n\n",
        Write(Peer() with { PersistentKeepaliveInterval = TimeSpan.FromSeconds(seconds) }));

    [Theory]
    [InlineData(-1_000)]
    [InlineData(500)]
    [InlineData(65_536_000)]
    public void WriteSet_KeepaliveNoDeviceCanHave_IsRefused(int milliseconds) => Assert.Throws<ArgumentOutOfRangeException>(
        () => Write(Peer() with { PersistentKeepaliveInterval = TimeSpan.FromMilliseconds(milliseconds) }));

    [Fact]
    public void WriteSet_AllowedIPs_AreAdded() => Assert.Equal(
        $"set=1\n{FirstPeer}allowed_ip=10.244.1.0/24\nallowed_ip=::/0\n\n",
        Write(Peer() with { AllowedIPs = [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("::/0")] }));

    [Fact]
    public void WriteSet_ReplaceWithoutAllowedIPs_ClearsThem() =>
        Assert.Equal($"set=1\n{FirstPeer}replace_allowed_ips=true\n\n", Write(Peer() with { AllowedIPs = [], ReplaceAllowedIPs = true }));

    [Fact]
    public void WriteSet_RemovalWithAnotherMember_IsRefused() => Assert.Throws<ArgumentException>(
        () => Write(Peer() with { Change = PeerChange.Remove, AllowedIPs = [IPPrefix.Parse("10.244.1.0/24")] }));

    [Fact]
    public void WriteSet_DisposedKeyPair_IsRefused()
    {
        var keyPair = KeyPair.Create();
        keyPair.Dispose();

        Assert.Throws<ObjectDisposedException>(() => Write(DevicePatch.Empty with { KeyPair = keyPair }));
    }

    [Fact]
    public void Dispose_OfTheBuffer_ZeroesEveryByte()
    {
        using var keyPair = KeyPair.Create();
        var buffer = new SecretBuffer(UapiReader.MaxReplySize);

        // Larger than the one that is kept for the next user, who may be a test that runs at the same time.
        _ = buffer.GetSpan(1 << 18);
        UapiWriter.WriteSet(buffer, DevicePatch.Empty with { KeyPair = keyPair });
        var memory = buffer.WrittenMemory;
        Assert.StartsWith("set=1\nprivate_key=", Encoding.ASCII.GetString(memory.Span), StringComparison.Ordinal);

        buffer.Dispose();

        Assert.False(memory.Span.ContainsAnyExcept((byte)0));
        Assert.Equal(0, buffer.Length);
    }

    [Fact]
    public void Growth_OfTheBuffer_ZeroesTheOldOne()
    {
        using var buffer = new SecretBuffer(1 << 20);
        buffer.GetSpan(64)[..64].Fill(0xAA);
        buffer.Advance(64);
        var old = buffer.WrittenMemory;

        _ = buffer.GetSpan(1 << 19);

        Assert.False(old.Span.ContainsAnyExcept((byte)0));
        Assert.Equal(64, buffer.WrittenSpan.Count((byte)0xAA));
        Assert.Throws<InvalidDataException>(() => buffer.GetSpan(1 << 20));
    }

    private static PeerPatch Peer() => new(UapiGolden.First, PeerChange.Add);

    private static string Write(PeerPatch peer) => Write(DevicePatch.Empty with { Peers = [peer] });

    private static string Write(DevicePatch patch)
    {
        using var buffer = new SecretBuffer(UapiReader.MaxReplySize);
        UapiWriter.WriteSet(buffer, patch);
        return Encoding.ASCII.GetString(buffer.WrittenSpan);
    }
}
