using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Unit.Linux.Devices;

/// <summary>The client against sockets that answer well, badly, late or not at all.</summary>
public sealed class UapiWireGuardClientTests
{
    private const string Name = "cilium_wg0";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TryGetDevice_Golden_GivesTheDevice()
    {
        await using var server = new UapiServer(Name, UapiGolden.GetReply);

        Assert.Equal(UapiGolden.Device, await Client(server).TryGetDeviceAsync(Name, Token));
        Assert.Equal(["get=1\n\n"], server.Requests);
    }

    [Fact]
    public async Task TryGetDevice_ReplyInPieces_GivesTheDevice()
    {
        await using var server = new UapiServer(Name, async (_, socket, token) =>
        {
            foreach (var piece in Encoding.ASCII.GetBytes(UapiGolden.GetReply).Chunk(7))
            {
                await socket.SendAsync(piece, token);
            }
        });

        Assert.Equal(UapiGolden.Device, await Client(server).TryGetDeviceAsync(Name, Token));
    }

    [Fact]
    public async Task TryGetDevice_NoSocket_IsNull() =>
        Assert.Null(await Client("/nowhere").TryGetDeviceAsync(Name, Token));

    [Fact]
    public async Task TryGetDevice_StaleSocket_IsNull()
    {
        await using var server = new UapiServer(Name, UapiGolden.GetReply);
        server.Die();

        Assert.True(File.Exists(Path.Join(server.SocketDirectory, $"{Name}.sock")));
        Assert.Null(await Client(server).TryGetDeviceAsync(Name, Token));
    }

    [Theory]
    [InlineData("listen_port=1\n")]
    [InlineData("hello\n\n")]
    [InlineData("listen_port=x\nerrno=0\n\n")]
    [InlineData("errno=0\n\nerrno=0\n")]
    public async Task TryGetDevice_BadReply_IsALinuxException(string reply)
    {
        await using var server = new UapiServer(Name, reply);

        var e = await Assert.ThrowsAsync<LinuxException>(() => Client(server).TryGetDeviceAsync(Name, Token));

        Assert.Equal($"get {Name}", e.Operation);
        Assert.Equal(EPROTO, e.Errno);
    }

    [Fact]
    public async Task TryGetDevice_ClosedWithoutAnswer_IsALinuxException()
    {
        await using var server = new UapiServer(Name, "");

        var e = await Assert.ThrowsAsync<LinuxException>(() => Client(server).TryGetDeviceAsync(Name, Token));

        Assert.Equal(ECONNRESET, e.Errno);
    }

    [Fact]
    public async Task TryGetDevice_ProcessEndsInsteadOfAnswering_IsNull()
    {
        UapiServer? dying = null;
        await using var server = dying = new UapiServer(Name, (_, _, _) =>
        {
            dying!.Die();
            return Task.CompletedTask;
        });

        Assert.Null(await Client(server).TryGetDeviceAsync(Name, Token));
    }

    [Fact]
    public async Task TryGetDevice_EndlessReply_IsALinuxException()
    {
        await using var server = new UapiServer(Name, async (_, socket, token) =>
        {
            var lines = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("x=y\n", 1 << 18)));
            while (true)
            {
                await socket.SendAsync(lines, token);
            }
        });

        var e = await Assert.ThrowsAsync<LinuxException>(() => Client(server).TryGetDeviceAsync(Name, Token));

        Assert.Contains("more than 67108864 bytes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TryGetDevice_NoAnswer_TimesOut()
    {
        var asked = new TaskCompletionSource();
        await using var server = new UapiServer(Name, async (_, _, token) =>
        {
            asked.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
        });
        var time = new FakeTimeProvider();

        var reading = Client(server, time).TryGetDeviceAsync(Name, Token);
        await asked.Task.WaitAsync(Token);
        time.Advance(TimeSpan.FromSeconds(5));

        var e = await Assert.ThrowsAsync<LinuxException>(() => reading);
        Assert.Equal(ETIMEDOUT, e.Errno);
    }

    [Fact]
    public async Task TryGetDevice_AnswerAtTheLastMoment_GivesTheDevice()
    {
        var time = new FakeTimeProvider();
        await using var server = new UapiServer(Name, async (_, socket, token) =>
        {
            time.Advance(TimeSpan.FromSeconds(4.9));
            await socket.SendAsync(Encoding.ASCII.GetBytes(UapiGolden.GetReply), token);
        });

        Assert.Equal(UapiGolden.Device, await Client(server, time).TryGetDeviceAsync(Name, Token));
    }

    [Fact]
    public async Task TryGetDevice_Cancelled_IsCancelled()
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var server = new UapiServer(Name, async (_, _, token) =>
        {
            await cancellation.CancelAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Client(server).TryGetDeviceAsync(Name, cancellation.Token));
    }

    [Theory]
    [InlineData("-98", 98, "listen port")]
    [InlineData("98", 98, "listen port")]
    [InlineData("-22", 22, "refused a key or a value")]
    [InlineData("-1", 1, "CAP_NET_ADMIN")]
    [InlineData("-12345", 12345, "refused")]
    public async Task Configure_Errno_NamesTheOperationAndWhatToDo(string errno, int expected, string advice)
    {
        await using var server = new UapiServer(Name, $"errno={errno}\n\n");

        var e = await Assert.ThrowsAsync<LinuxException>(() => Client(server).ConfigureAsync(Name, UapiGolden.Patch, Token));

        Assert.Equal($"set {Name}", e.Operation);
        Assert.Equal(expected, e.Errno);
        Assert.Contains(advice, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Configure_Patch_IsSentAsOneRequest()
    {
        await using var server = new UapiServer(Name, "errno=0\n\n");

        await Client(server).ConfigureAsync(Name, UapiGolden.Patch, Token);

        Assert.Equal(UapiGolden.Patch, UapiText.ParseSet(Encoding.ASCII.GetBytes(Assert.Single(server.Requests))));
    }

    [Fact]
    public async Task Configure_RefusedPatch_SendsNothing()
    {
        await using var server = new UapiServer(Name, "errno=0\n\n");
        var patch = DevicePatch.Empty with { Peers = [new(UapiGolden.First, PeerChange.Add, null, TimeSpan.FromSeconds(0.5))] };

        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => Client(server).ConfigureAsync(Name, patch, Token));

        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Configure_NoDevice_SaysSo()
    {
        var e = await Assert.ThrowsAsync<LinuxException>(() => Client("/nowhere").ConfigureAsync(Name, DevicePatch.Empty, Token));

        Assert.Equal(ENODEV, e.Errno);
    }

    [Fact]
    public async Task GetKeyPair_Golden_GivesThePair()
    {
        await using var server = new UapiServer(Name, UapiGolden.GetReply);

        using var keyPair = await Client(server).GetKeyPairAsync(Name, Token);

        Assert.Equal(UapiGolden.Own, keyPair?.PublicKey);
    }

    [Fact]
    public async Task GetKeyPair_NoDevice_SaysSo()
    {
        var e = await Assert.ThrowsAsync<LinuxException>(() => Client("/nowhere").GetKeyPairAsync(Name, Token));

        Assert.Equal(ENODEV, e.Errno);
    }

    [Theory]
    [InlineData("")]
    [InlineData("../../tmp/x")]
    [InlineData("-f")]
    [InlineData("sixteen_letters_")]
    [InlineData("wg 0")]
    public async Task AnyCall_NameThatIsNone_IsRefused(string name)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Client("/nowhere").TryGetDeviceAsync(name, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => Client("/nowhere").CreateDeviceAsync(name, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => Client("/nowhere").DeleteDeviceAsync(name, Token));
    }

    [Fact]
    public async Task CreateDevice_NoSuchCommand_SaysWhatToInstall()
    {
        var client = Client(
            new UserspaceDeviceOptions { Command = ["no-such-wireguard-go"], SocketDirectory = "/nowhere", TunPath = "/dev/null" });

        var e = await Assert.ThrowsAsync<LinuxException>(() => client.CreateDeviceAsync(Name, Token));

        Assert.Equal(ENOENT, e.Errno);
        Assert.Contains("apt-get install wireguard-go", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CreateDevice_NoTun_SaysWhatToDo()
    {
        var client = Client(new UserspaceDeviceOptions { SocketDirectory = "/nowhere", TunPath = "/nowhere/tun" });

        var e = await Assert.ThrowsAsync<LinuxException>(() => client.CreateDeviceAsync(Name, Token));

        Assert.Contains("modprobe tun", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CreateDevice_CommandFails_GivesItsLastLine()
    {
        var client = Client(new UserspaceDeviceOptions
        {
            Command = ["sh", "-c", "echo first >&2; echo the reason >&2; exit 3"],
            SocketDirectory = "/nowhere",
            TunPath = "/dev/null",
        });

        var e = await Assert.ThrowsAsync<LinuxException>(() => client.CreateDeviceAsync(Name, Token));

        Assert.Equal($"create {Name}", e.Operation);
        Assert.EndsWith(": the reason", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CreateDevice_CommandLeavesItsOutputOpen_DoesNotHang()
    {
        // The background process inherits standard error, as a daemon would that does not close it.
        var client = Client(new UserspaceDeviceOptions
        {
            Command = ["sh", "-c", "sleep 20 & echo the reason >&2; exit 3"],
            SocketDirectory = "/nowhere",
            TunPath = "/dev/null",
        });
        var start = TimeProvider.System.GetTimestamp();

        await Assert.ThrowsAsync<LinuxException>(() => client.CreateDeviceAsync(Name, Token));

        Assert.InRange(TimeProvider.System.GetElapsedTime(start).TotalSeconds, 0, 15);
    }

    [Fact]
    public async Task CreateDevice_SocketNeverAnswers_SaysSo()
    {
        var client = Client(new UserspaceDeviceOptions
        {
            Command = ["true"],
            SocketDirectory = "/nowhere",
            TunPath = "/dev/null",
            StartTimeout = TimeSpan.FromMilliseconds(200),
        });

        var e = await Assert.ThrowsAsync<LinuxException>(() => client.CreateDeviceAsync(Name, Token));

        Assert.Equal(ETIMEDOUT, e.Errno);
    }

    [Fact]
    public async Task CreateDevice_DeviceIsRunning_IsRefused()
    {
        await using var server = new UapiServer(Name, UapiGolden.GetReply);

        var e = await Assert.ThrowsAsync<LinuxException>(() => Client(server).CreateDeviceAsync(Name, Token));

        Assert.Equal(EEXIST, e.Errno);
        Assert.True(File.Exists(Path.Join(server.SocketDirectory, $"{Name}.sock")));
    }

    [Fact]
    public async Task DeleteDevice_NoDevice_IsFine() =>
        Assert.Null(await Record.ExceptionAsync(() => Client("/nowhere").DeleteDeviceAsync(Name, Token)));

    [Fact]
    public async Task DeleteDevice_StaleSocket_RemovesIt()
    {
        await using var server = new UapiServer(Name, UapiGolden.GetReply);
        server.Die();

        await Client(server).DeleteDeviceAsync(Name, Token);

        Assert.False(File.Exists(Path.Join(server.SocketDirectory, $"{Name}.sock")));
    }

    private static UapiWireGuardClient Client(UapiServer server) => Client(server.SocketDirectory);

    private static UapiWireGuardClient Client(string socketDirectory) =>
        Client(new UserspaceDeviceOptions { SocketDirectory = socketDirectory });

    private static UapiWireGuardClient Client(UapiServer server, TimeProvider timeProvider) =>
        Client(new UserspaceDeviceOptions { SocketDirectory = server.SocketDirectory }, timeProvider);

    private static UapiWireGuardClient Client(UserspaceDeviceOptions options, TimeProvider? timeProvider = null) =>
        new(options, timeProvider ?? TimeProvider.System, NullLogger<UapiWireGuardClient>.Instance);
}
