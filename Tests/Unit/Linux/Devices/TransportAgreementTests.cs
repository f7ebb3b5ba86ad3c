using CsCheck;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Linux.Devices;

/// <summary>
/// A patch means the same to every transport and to the fake that the other tests trust: its entries take effect one after another, in its
/// order. What a kernel and a wireguard-go make of it is in the table of device cases, which the fake runs too.
/// </summary>
public sealed class TransportAgreementTests
{
    private const int Keys = 4;
    private const int Prefixes = 5;
    private const int LargestPeer = 256;

    // Few keys and prefixes, so that a patch names the same ones again and moves them between peers.
    private static readonly Gen<DevicePatch> Patch = DeviceGen.PeerPatchOf(
            Gen.Int[0, Keys - 1].Select(TestMesh.Key), Gen.Int[0, Prefixes - 1].Select(TestMesh.PodCIDR))
        .Array[0, 12].Select(peers => DevicePatch.Empty with { Peers = [.. peers] });

    private static readonly Gen<Device> Device = Patch.Select(patch =>
        Shaken(FakeWireGuardClient.Apply(new Device("wg0", null, TestMesh.ListenPort, 0, []), patch)));

    [Fact]
    public void AnyPatchOnAnyDevice_ByNetlinkAndByUapi_LeadsToWhatTheFakeSays() => Gen.Select(Patch, Device, Gen.Int[LargestPeer, 4_096])
        .Sample((patch, device, bufferSize) =>
        {
            var expected = FakeWireGuardClient.Apply(device, patch);
            Assert.Equal(expected, Play(device, WriteNetlink(patch, bufferSize).SelectMany(message => NetlinkText.ReadPeers(message))));
            Assert.Equal(expected, Play(device, UapiText.ParseSteps(WriteUapi(patch)).Peers));
        });

    // What a transport says, one elementary change after another: neither of them knows what a reset is.
    private static Device Play(Device device, IEnumerable<PeerPatch> steps)
    {
        foreach (var step in steps)
        {
            Assert.NotEqual(PeerChange.Reset, step.Change);
            device = FakeWireGuardClient.Apply(device, DevicePatch.Empty with { Peers = [step] });
        }

        return device;
    }

    // A peer that begins afresh has no handshake any more, and that shows.
    private static Device Shaken(Device device) =>
        device with { Peers = [.. device.Peers.Select(peer => peer with { LastHandshakeTime = TestMesh.Start, ReceiveBytes = 1 })] };

    private static List<byte[]> WriteNetlink(DevicePatch patch, int bufferSize)
    {
        const ushort Family = 0x20;
        List<byte[]> messages = [];
        var writer = new WireGuardMessageWriter(Family, "wg0", patch);
        var buffer = new byte[bufferSize];
        while (writer.TryWriteNext(buffer, out var message))
        {
            messages.Add(message.ToArray());
        }

        return messages;
    }

    private static byte[] WriteUapi(DevicePatch patch)
    {
        using var buffer = new SecretBuffer(UapiReader.MaxReplySize);
        UapiWriter.WriteSet(buffer, patch);
        return buffer.WrittenSpan.ToArray();
    }
}
