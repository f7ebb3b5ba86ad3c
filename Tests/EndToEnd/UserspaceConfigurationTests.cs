using System.Globalization;
using System.Net;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Unit.Linux.Devices;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// What the client writes to the real wireguard-go and reads back, with wg(8) as the second opinion and the fake of the other tests as
/// the third.
/// </summary>
/// <remarks>How its process starts and ends is in <see cref="UserspaceDeviceTests"/>.</remarks>
[Trait("Kind", "EndToEnd")]
public sealed class UserspaceConfigurationTests : InsideNamespace
{
    private static readonly string Name = MeshPlan.DeviceNames[0];
    private static readonly string OtherName = MeshPlan.DeviceNames[1];

    private static readonly PublicKey First = UapiGolden.First;
    private static readonly PublicKey Second = UapiGolden.Second;
    private static readonly PublicKey Third = UapiGolden.Third;

    [Fact]
    public async Task Configure_EveryMember_IsWhatWgShowsAndWhatTheFakeDoes()
    {
        var client = Client();
        using var fake = new FakeWireGuardClient();
        await client.CreateDeviceAsync(Name, Token);
        await fake.CreateDeviceAsync(Name, Token);
        using var keyPair = KeyPair.Create();
        using var newKeyPair = KeyPair.Create();
        IPEndPoint ipv4 = new(IPAddress.Parse("192.0.2.1"), 51871);
        IPEndPoint ipv6 = new(IPAddress.Parse("2001:db8::1"), 51872);
        DevicePatch[] patches =
        [
            new(keyPair, 40001, []),
            Peers(new PeerPatch(First, PeerChange.Add, ipv4, TimeSpan.FromSeconds(25), Prefixes("10.244.1.0/24", "fd00:10:244:1::/64"))),
            Peers(new PeerPatch(Second, PeerChange.Add, ipv6, null, Prefixes("10.244.2.0/24", "10.244.3.0/24", "0.0.0.0/0", "::/0"))),

            // A prefix moves to the peer that is given it; one that is left out of a whole list is removed.
            Peers(new PeerPatch(First, PeerChange.Update, AllowedIPs: Prefixes("10.244.3.0/24"))),
            Peers(new PeerPatch(Second, PeerChange.Update, AllowedIPs: Prefixes("10.244.2.0/24"), ReplaceAllowedIPs: true)),
            Peers(new PeerPatch(First, PeerChange.Update, ipv6, TimeSpan.Zero)),
            Peers(new PeerPatch(Third, PeerChange.Update, ipv4, TimeSpan.FromSeconds(5), Prefixes("10.244.9.0/24"), true)),
            Peers(new PeerPatch(Third, PeerChange.Add), new PeerPatch(First, PeerChange.Update, AllowedIPs: [], ReplaceAllowedIPs: true)),
            Peers(new PeerPatch(Second, PeerChange.Remove), new PeerPatch(UapiGolden.Own, PeerChange.Remove)),

            // The device becomes what was its own peer.
            Peers(new PeerPatch(newKeyPair.PublicKey, PeerChange.Add, AllowedIPs: Prefixes("10.244.7.0/24"))),
            new(newKeyPair, 40002, []),
            DevicePatch.Empty,
        ];

        foreach (var patch in patches)
        {
            await client.ConfigureAsync(Name, patch, Token);
            await fake.ConfigureAsync(Name, patch, Token);

            var device = await client.TryGetDeviceAsync(Name, Token);
            Assert.Equal(await WgShowAsync(Name), device);
            Assert.Equal(await fake.TryGetDeviceAsync(Name, Token), device);
        }

        using var adopted = await client.GetKeyPairAsync(Name, Token);
        Assert.Equal(newKeyPair.PublicKey, adopted?.PublicKey);
    }

    [Fact]
    public async Task TryGetDevice_WithTraffic_IsWhatWgShows()
    {
        var client = Client();
        using KeyPair left = KeyPair.Create(), right = KeyPair.Create();
        await client.CreateDeviceAsync(Name, Token);
        await client.CreateDeviceAsync(OtherName, Token);
        await Links().SetUpAsync(Name, Token);
        await Links().SetUpAsync(OtherName, Token);
        await client.ConfigureAsync(OtherName, new DevicePatch(right, 40002, [new(left.PublicKey, PeerChange.Add)]), Token);
        await client.ConfigureAsync(
            Name,
            new DevicePatch(left, 40001,
            [
                new(right.PublicKey, PeerChange.Add, new IPEndPoint(IPAddress.IPv6Loopback, 40002), TimeSpan.FromSeconds(10)),
            ]),
            Token);

        // Who answers a handshake knows that it is complete only by the first packet after it.
        foreach (var name in (string[])[Name, OtherName])
        {
            await WaitUntilAsync(async () => (await client.TryGetDeviceAsync(name, Token))!.Peers[0].LastHandshakeTime is not null);
        }

        foreach (var name in (string[])[Name, OtherName])
        {
            // wg(8) shows whole seconds only, and the bytes may grow in between.
            var peer = Assert.Single((await client.TryGetDeviceAsync(name, Token))!.Peers);
            var shown = Assert.Single((await WgShowAsync(name)).Peers);
            Assert.Equal(shown.LastHandshakeTime?.ToUnixTimeSeconds(), peer.LastHandshakeTime?.ToUnixTimeSeconds());
            Assert.Equal(shown.Endpoint, peer.Endpoint);
            Assert.InRange(peer.ReceiveBytes, 1, shown.ReceiveBytes);
            Assert.InRange(peer.TransmitBytes, 1, shown.TransmitBytes);
        }
    }

    [Fact]
    public async Task Configure_PortInUse_SaysSoAlsoWhenTheRestIsNeverRead()
    {
        var client = Client();
        await client.CreateDeviceAsync(Name, Token);
        await client.CreateDeviceAsync(OtherName, Token);
        await Links().SetUpAsync(Name, Token);
        await Links().SetUpAsync(OtherName, Token);
        await client.ConfigureAsync(Name, DevicePatch.Empty with { ListenPort = 40001 }, Token);
        var peers = Enumerable.Range(0, 5_000)
            .Select(i => new PeerPatch(
                new PublicKey(Convert.FromHexString($"{i + 1:x64}")), PeerChange.Add, AllowedIPs: Prefixes("10.0.0.0/8")));

        var e = await Assert.ThrowsAsync<LinuxException>(
            () => client.ConfigureAsync(OtherName, new DevicePatch(null, 40001, [.. peers]), Token));

        Assert.Equal(EADDRINUSE, e.Errno);
        Assert.NotNull(await client.TryGetDeviceAsync(OtherName, Token));
    }

    [Fact]
    public async Task Exchange_InvalidWrite_IsAnsweredWithErrno()
    {
        await Client().CreateDeviceAsync(Name, Token);
        using var connection = await UapiConnection.TryConnectAsync(SocketPath(Name), Token);
        using var reply = new SecretBuffer(UapiReader.MaxReplySize);

        await connection!.ExchangeAsync("set=1\ncolour=blue\n\n"u8.ToArray(), reply, Token);

        Assert.Equal(EINVAL, UapiReader.ReadErrno(reply.WrittenSpan));
    }

    [Fact]
    public async Task Configure_ManyPeers_IsReadBack()
    {
        const int Count = 3_000;
        var client = Client();
        await client.CreateDeviceAsync(Name, Token);
        var patch = DevicePatch.Empty with
        {
            Peers =
            [
                .. Enumerable.Range(0, Count).Select(i => new PeerPatch(
                    new PublicKey(Convert.FromHexString($"{i + 1:x64}")),
                    PeerChange.Add,
                    new IPEndPoint(IPAddress.Loopback, 50000),
                    null,
                    Prefixes($"10.{i >> 8}.{i & 255}.0/24"))),
            ],
        };

        await client.ConfigureAsync(Name, patch, Token);

        var device = await client.TryGetDeviceAsync(Name, Token);
        Assert.Equal(Count, device!.Peers.Count);
        Assert.Equal(FakeWireGuardClient.Apply(device with { Peers = [] }, patch), device);
    }

    private static EquatableArray<IPPrefix> Prefixes(params string[] texts) => texts.Select(IPPrefix.Parse).ToEquatableArray();

    private static DevicePatch Peers(params PeerPatch[] peers) => DevicePatch.Empty with { Peers = [.. peers] };

    /// <summary>The device as <c>wg show … dump</c> has it.</summary>
    private async Task<Device> WgShowAsync(string name)
    {
        var lines = (await Namespace.RunAsync(Token, "wg", "show", name, "dump"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')).ToArray();
        var peers = lines[1..].Select(fields => new DevicePeer(
            PublicKey.Parse(fields[0]),
            fields[2] == "(none)" ? null : IPEndPoint.Parse(fields[2]),
            [.. (fields[3] == "(none)" ? [] : fields[3].Split(',')).Select(IPPrefix.Parse).Order()],
            TimeSpan.FromSeconds(fields[7] == "off" ? 0 : int.Parse(fields[7], CultureInfo.InvariantCulture)),
            fields[4] == "0" ? null : DateTimeOffset.FromUnixTimeSeconds(long.Parse(fields[4], CultureInfo.InvariantCulture)),
            long.Parse(fields[5], CultureInfo.InvariantCulture),
            long.Parse(fields[6], CultureInfo.InvariantCulture)));
        return new Device(
            name,
            lines[0][1] == "(none)" ? null : PublicKey.Parse(lines[0][1]),
            ushort.Parse(lines[0][2], CultureInfo.InvariantCulture),
            lines[0][3] == "off" ? 0 : uint.Parse(lines[0][3], CultureInfo.InvariantCulture),
            [.. peers.OrderBy(peer => peer.PublicKey)]);
    }
}
