using CsCheck;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Unit.Support;

/// <summary>The fakes keep the promises that other tests rely on. That they do as wireguard-go does is tested end to end.</summary>
public sealed class FakeClientTests
{
    private const string Name = "cilium_wg0";

    private static readonly PublicKey First = PublicKey.Parse("YUwE3JW6PBY857S3pyr3672g/sg1PCT2O1A7+QcgJB4=");
    private static readonly PublicKey Second = PublicKey.Parse("xkyWp6Z0byEXv5AGE0GfctMlt3hx5+3G54cjOZYlDA8=");
    private static readonly IPPrefix Prefix = IPPrefix.Parse("10.244.1.0/24");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Apply_AnyPatch_LeavesEachPrefixToOnePeer() => Gen.Select(DeviceGen.Patch, DeviceGen.Patch).Sample((one, two) =>
    {
        var device = FakeWireGuardClient.Apply(FakeWireGuardClient.Apply(new Device(Name, null, 0, 0, []), one), two);

        var prefixes = device.Peers.SelectMany(peer => peer.AllowedIPs).ToArray();
        Assert.Equal(prefixes.Length, prefixes.Distinct().Count());
        Assert.Equal(device.Peers.Select(peer => peer.PublicKey).Order(), device.Peers.Select(peer => peer.PublicKey));
    });

    [Fact]
    public async Task Configure_FailsAfterOnePeer_AppliedThatOne()
    {
        using var client = new FakeWireGuardClient();
        await client.CreateDeviceAsync(Name, Token);
        var patch = DevicePatch.Empty with { Peers = [new(First, PeerChange.Add), new(Second, PeerChange.Add)] };
        client.FailNextCall(appliedPeers: 1);

        Assert.Equal(EIO, (await Assert.ThrowsAsync<LinuxException>(() => client.ConfigureAsync(Name, patch, Token))).Errno);
        Assert.Equal([First], client.Peek(Name)!.Peers.Select(peer => peer.PublicKey));

        await client.ConfigureAsync(Name, patch, Token);
        Assert.Equal(2, client.Peek(Name)!.Peers.Count);
        Assert.Equal([patch, patch], client.Patches);
        Assert.Equal(2, client.CountOf(nameof(IWireGuardClient.ConfigureAsync)));
    }

    [Fact]
    public async Task FailCall_AnyOperation_FailsThatOneWithoutEffect()
    {
        using var client = new FakeWireGuardClient();
        client.FailCall(1);

        await Assert.ThrowsAsync<LinuxException>(() => client.CreateDeviceAsync(Name, Token));
        Assert.Null(await client.TryGetDeviceAsync(Name, Token));
    }

    [Fact]
    public async Task GetKeyPair_AfterTheirOwnersDispose_StillGivesACopy()
    {
        using var client = new FakeWireGuardClient();
        await client.CreateDeviceAsync(Name, Token);
        PublicKey publicKey;
        using (var keyPair = KeyPair.Create())
        {
            publicKey = keyPair.PublicKey;
            await client.ConfigureAsync(Name, DevicePatch.Empty with { KeyPair = keyPair }, Token);
        }

        (await client.GetKeyPairAsync(Name, Token))!.Dispose();
        using var copy = await client.GetKeyPairAsync(Name, Token);

        Assert.Equal(publicKey, copy?.PublicKey);
        Assert.Equal(1, client.KeyWrites);
    }

    [Fact]
    public async Task Links_OfDevices_ComeAndGoWithThem()
    {
        var links = new FakeLinkClient();
        using var client = new FakeWireGuardClient(links);
        await client.CreateDeviceAsync(Name, Token);
        var route = new Route(Prefix, Name);

        await Assert.ThrowsAsync<LinuxException>(() => links.ReplaceRouteAsync(route, Token));
        await links.SetUpAsync(Name, Token);
        await links.ReplaceRouteAsync(route, Token);
        Assert.Equal([route], await links.GetRoutesAsync(Token));

        await client.DeleteDeviceAsync(Name, Token);
        Assert.Null(await links.TryGetLinkAsync(Name, Token));
        Assert.Empty(await links.GetRoutesAsync(Token));
    }
}
