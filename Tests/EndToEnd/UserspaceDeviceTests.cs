using System.Globalization;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.LocalMesh.Topology;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// A userspace device as a process of its own: how the client starts the real wireguard-go, knows what has become of it, and ends it.
/// </summary>
/// <remarks>What is written to a device and read back is in <see cref="UserspaceConfigurationTests"/>.</remarks>
[Trait("Kind", "EndToEnd")]
public sealed class UserspaceDeviceTests : InsideNamespace
{
    private static readonly string Name = MeshPlan.DeviceNames[0];
    private static readonly string OtherName = MeshPlan.DeviceNames[1];

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

    private static string SessionOf(int processId) => StatOf($"/proc/{processId}")[3];

    // proc_pid_stat(5) from the state on, which follows the name in parentheses.
    private static string[] StatOf(string directory)
    {
        var stat = File.ReadAllText($"{directory}/stat");
        return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
    }

    private async Task<int> SuspendAsync()
    {
        var process = ProcessOf(Name)!.Value;
        await Namespace.RunAsync(Token, "kill", "-STOP", process.ToString(CultureInfo.InvariantCulture));
        await WaitUntilAsync(() => Directory.GetDirectories($"/proc/{process}/task").All(thread => StatOf(thread)[0] == "T"));
        return process;
    }

    private int? ProcessOf(string name) => UserspaceProcess.TryFind(name, Namespace.Path);
}
