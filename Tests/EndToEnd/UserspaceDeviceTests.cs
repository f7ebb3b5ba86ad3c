using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Unit.Linux.Devices;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The client against the real wireguard-go, with wg(8) as the second opinion.</summary>
[Trait("Kind", "EndToEnd")]
public sealed class UserspaceDeviceTests : IAsyncLifetime
{
    private static readonly string Name = MeshPlan.DeviceNames[0];
    private static readonly string OtherName = MeshPlan.DeviceNames[1];

    private static readonly PublicKey First = UapiGolden.First;
    private static readonly PublicKey Second = UapiGolden.Second;
    private static readonly PublicKey Third = UapiGolden.Third;

    private NetworkNamespace? _namespace;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private NetworkNamespace Namespace => _namespace!;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(NetworkNamespace.WhyImpossible is null, $"skipped: {NetworkNamespace.WhyImpossible}");
        _namespace = await NetworkNamespace.CreateAsync(Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_namespace is not null)
        {
            await _namespace.DisposeAsync();
        }
    }

    [Fact]
    public async Task CreateDevice_NewName_IsAnEmptyDeviceWhoseLinkIsDown()
    {
        var client = Client();

        await client.CreateDeviceAsync(Name, Token);

        var device = await client.TryGetDeviceAsync(Name, Token);
        Assert.Equal(new Device(Name, null, device!.ListenPort, 0, []), device);
        Assert.Equal((1420, false), await Links().TryGetLinkAsync(Name, Token) is { } link ? (link.Mtu, link.IsUp) : default);
        Assert.Null(await client.GetKeyPairAsync(Name, Token));
    }

    [Fact]
    public async Task CreateDevice_NewName_RunsApartFromUs()
    {
        // wireguard-go keeps the streams of its starter when this is set; the client must not let it.
        Environment.SetEnvironmentVariable("LOG_LEVEL", "verbose");
        try
        {
            await Client().CreateDeviceAsync(Name, Token);
        }
        finally
        {
            Environment.SetEnvironmentVariable("LOG_LEVEL", null);
        }

        var process = ProcessOf(Name)!.Value;
        Assert.All([0, 1, 2], file => Assert.Equal("/dev/null", new FileInfo($"/proc/{process}/fd/{file}").LinkTarget));
        Assert.NotEqual(SessionOf(Environment.ProcessId), SessionOf(process));
    }

    [Fact]
    public async Task CreateDevice_NameIsRunning_IsRefused()
    {
        var client = Client();
        await client.CreateDeviceAsync(Name, Token);
        var process = ProcessOf(Name);

        var e = await Assert.ThrowsAsync<LinuxException>(() => client.CreateDeviceAsync(Name, Token));

        Assert.Equal(EEXIST, e.Errno);
        Assert.Equal(process, ProcessOf(Name));
    }

    [Fact]
    public async Task CreateDevice_NameOfAnotherLink_SaysWhatWireGuardGoSaid()
    {
        await Namespace.RunAsync(Token, "ip", "tuntap", "add", "dev", Name, "mode", "tap");

        var e = await Assert.ThrowsAsync<LinuxException>(() => Client().CreateDeviceAsync(Name, Token));

        Assert.Contains("Failed to create TUN device", e.Message, StringComparison.Ordinal);
        Assert.NotNull(await Links().TryGetLinkAsync(Name, Token));
    }

    [Fact]
    public async Task CreateDevice_AfterSigkill_ReplacesTheStaleSocket()
    {
        var client = Client();
        await client.CreateDeviceAsync(Name, Token);
        var process = UserspaceProcess.TryKill(Name, Namespace.Path);
        await WaitUntilAsync(() => ProcessOf(Name) is null);

        Assert.True(File.Exists(SocketPath(Name)));
        Assert.Null(await client.TryGetDeviceAsync(Name, Token));

        await WaitUntilAsync(() => UserspaceProcess.IsGone(process!.Value));
        await client.CreateDeviceAsync(Name, Token);
        Assert.NotNull(await client.TryGetDeviceAsync(Name, Token));
    }

    [Fact]
    public async Task CreateDevice_SomebodyElseStartsThem_SaysWhoAndStartsNothing()
    {
        var client = Client(mayStart: false);

        var e = await Assert.ThrowsAsync<LinuxException>(() => client.CreateDeviceAsync(Name, Token));

        Assert.Equal(ENODEV, e.Errno);
        Assert.Contains($"nothing answers at {SocketPath(Name)}", e.Message, StringComparison.Ordinal);
        Assert.Contains("the DaemonSet orleans-wireguard-device", e.Message, StringComparison.Ordinal);
        Assert.Null(ProcessOf(Name));

        // What somebody else has started is used, and a removed one ends for whoever runs it to start it again.
        await Client().CreateDeviceAsync(Name, Token);
        Assert.NotNull(await client.TryGetDeviceAsync(Name, Token));
        await client.DeleteDeviceAsync(Name, Token);
        Assert.Null(ProcessOf(Name));
    }

    [Fact]
    public async Task DeleteDevice_Running_LeavesNothing()
    {
        var client = Client();
        await client.CreateDeviceAsync(Name, Token);
        await client.CreateDeviceAsync(OtherName, Token);
        var process = ProcessOf(Name)!.Value;

        await client.DeleteDeviceAsync(Name, Token);

        // Right after the call, without waiting.
        Assert.Null(ProcessOf(Name));
        Assert.True(UserspaceProcess.IsGone(process), $"process {process} is still there");
        Assert.False(File.Exists(SocketPath(Name)));
        Assert.Null(await Links().TryGetLinkAsync(Name, Token));
        Assert.Null(await client.TryGetDeviceAsync(Name, Token));
        Assert.NotNull(await client.TryGetDeviceAsync(OtherName, Token));

        await client.DeleteDeviceAsync(Name, Token);
        await client.CreateDeviceAsync(Name, Token);
    }

    [Fact]
    public async Task DeleteDevice_ProcessHangs_KillsIt()
    {
        var client = Client(TimeSpan.FromSeconds(0.3));
        await Client().CreateDeviceAsync(Name, Token);
        var process = await SuspendAsync();

        var e = await Assert.ThrowsAsync<LinuxException>(() => client.TryGetDeviceAsync(Name, Token));
        Assert.Equal(ETIMEDOUT, e.Errno);
        await client.DeleteDeviceAsync(Name, Token);

        Assert.True(UserspaceProcess.IsGone(process), $"process {process} is still there");
        Assert.Null(await Links().TryGetLinkAsync(Name, Token));
    }

    private async Task<int> SuspendAsync()
    {
        var process = ProcessOf(Name)!.Value;
        await Namespace.RunAsync(Token, "kill", "-STOP", process.ToString(CultureInfo.InvariantCulture));
        await WaitUntilAsync(() => Directory.GetDirectories($"/proc/{process}/task").All(thread => StatOf(thread)[0] == "T"));
        return process;
    }

    // Its TUN device has no name any more, which is none that somebody gave it.
    [Fact]
    public async Task FindRenamed_LinkWasDeletedAndItsProcessLingers_IsNone()
    {
        var client = Client(TimeSpan.FromSeconds(0.3));
        await Client().CreateDeviceAsync(Name, Token);
        var process = await SuspendAsync();
        await Namespace.RunAsync(Token, "ip", "link", "delete", "dev", Name);

        Assert.Null(await client.FindRenamedAsync(Name, 51871, Token));
        await client.DeleteDeviceAsync(Name, Token);
        Assert.True(UserspaceProcess.IsGone(process), $"process {process} is still there");
    }

    [Fact]
    public async Task TryGetDevice_LinkWasDeleted_IsNull()
    {
        var client = Client();
        await client.CreateDeviceAsync(Name, Token);

        await Namespace.RunAsync(Token, "ip", "link", "delete", "dev", Name);

        await WaitUntilAsync(() => ProcessOf(Name) is null);
        await WaitUntilAsync(async () => await client.TryGetDeviceAsync(Name, Token) is null);
    }

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

    private static string SessionOf(int processId) => StatOf($"/proc/{processId}")[3];

    // proc_pid_stat(5) from the state on, which follows the name in parentheses.
    private static string[] StatOf(string directory)
    {
        var stat = File.ReadAllText($"{directory}/stat");
        return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
    }

    private static Task WaitUntilAsync(Func<bool> condition) => WaitUntilAsync(() => Task.FromResult(condition()));

    private static async Task WaitUntilAsync(Func<Task<bool>> condition)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(10), TimeProvider.System);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, Token);
        while (!await condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
        }
    }

    private string SocketPath(string name) => Path.Join(Namespace.SocketDirectory, $"{name}.sock");

    private int? ProcessOf(string name) => UserspaceProcess.TryFind(name, Namespace.Path);

    private NetlinkLinkClient Links() => new(TimeProvider.System, OpenInside);

    // A socket belongs for ever to the namespace in which its thread was when it was opened.
    private INetlinkChannel OpenInside(int protocol)
    {
        INetlinkChannel? channel = null;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using var handle = File.OpenHandle(Namespace.Path);
                Native.Check(Native.SetNamespace(handle, Native.CLONE_NEWNET), "setns");
                channel = NetlinkSocket.Open(protocol);
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return channel ?? throw new InvalidOperationException("no netlink socket inside the namespace", failure);
    }

    private UapiWireGuardClient Client(TimeSpan? timeout = null, bool mayStart = true)
    {
        var options = Namespace.Options;
        return new UapiWireGuardClient(
            new UserspaceDeviceOptions
            {
                Command = options.Command,
                MayStart = mayStart,
                SocketDirectory = options.SocketDirectory,
                NetworkNamespace = options.NetworkNamespace,
                RequestTimeout = timeout ?? options.RequestTimeout,
                StopTimeout = timeout ?? options.StopTimeout,
            },
            TimeProvider.System,
            NullLogger<UapiWireGuardClient>.Instance);
    }

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
