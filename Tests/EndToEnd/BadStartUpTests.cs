using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>A topology of two nodes with a membership store, in which silos are started wrongly.</summary>
public sealed class BadStartUpFixture : IAsyncLifetime
{
    private MeshHarness? _mesh;

    /// <summary>The mesh.</summary>
    internal MeshHarness Mesh =>
        _mesh ?? throw new InvalidOperationException("The machine cannot carry a mesh; the test should have been skipped.");

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (LocalMeshCollection.ReasonToSkip is not null)
        {
            return;
        }

        var (plan, token) = (MeshPlan.Test(2), TestContext.Current.CancellationToken);
        _mesh = await MeshHarness.CreateAsync(
            plan, MeshState.For(plan), TimeProvider.System, TestContext.Current.SendDiagnosticMessage, token);
        _mesh.InstallBinary(LocalMeshCollection.Binary);

        // Not only for the silos that are refused: owg reads the same file.
        _mesh.Configure(TimeSpan.FromSeconds(10));
        await _mesh.Redis.StartAsync(token);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _mesh?.DisposeAsync() ?? ValueTask.CompletedTask;
}

/// <summary>A silo that cannot work says why in one line, ends with exit code 2 and leaves nothing half-configured.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class BadStartUpTests(BadStartUpFixture fixture) : IClassFixture<BadStartUpFixture>
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private NodePlan First => fixture.Mesh.Plan.Nodes[0];

    [Fact]
    public Task Run_UnknownNodeName_IsRefused() => RefusedAsync("node-9", c => c["Node"]!["Name"] = "node-9");

    [Fact]
    public Task Run_MalformedCIDR_IsRefused() =>
        RefusedAsync("10.245.1.0/33", c => Static(c, 0)["PodCIDRs"] = new JsonArray("10.245.1.0/33"));

    [Fact]
    public Task Run_CIDRWithHostBits_IsRefused() =>
        RefusedAsync("10.245.1.7/24", c => Static(c, 0)["PodCIDRs"] = new JsonArray("10.245.1.7/24"));

    [Fact]
    public Task Run_OverlappingPodCIDRs_IsRefused() =>
        RefusedAsync("10.245.1.128/25", c => Static(c, 1)["PodCIDRs"] = new JsonArray("10.245.1.128/25"));

    [Fact]
    public async Task Run_SiloPortInUse_IsRefused()
    {
        using var socket = Occupy(SocketType.Stream, IPAddress.Any, MeshPlan.SiloPort);
        await RefusedAsync("11111");
    }

    [Fact]
    public async Task Run_GatewayPortInUse_IsRefused()
    {
        using var socket = Occupy(SocketType.Stream, IPAddress.Loopback, MeshPlan.GatewayPort);
        await RefusedAsync("30000");
    }

    [Fact]
    public async Task Run_WireGuardPortInUse_IsRefused()
    {
        using var socket = Occupy(SocketType.Dgram, IPAddress.Any, MeshPlan.WireGuardPort);
        await RefusedAsync("51871");
    }

    [Fact]
    public Task Run_PlainApiServer_IsRefused() =>
        RefusedAsync("expected https://HOST:PORT, or http on loopback", c => ByApiServer(c, "http://192.0.2.1:8080"));

    [Fact]
    public Task Run_ApiServerOfSomebodyElseInAPod_IsRefused() => RefusedAsync(
        "in a pod the token goes to the pod's own API server only (https://10.0.0.1/)",
        c => ByApiServer(c, "https://192.0.2.1:443"),
        before: ["env", "KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443"]);

    [Fact]
    public Task Run_WithoutTunDevice_IsRefused() => RefusedAsync(
        "/dev/net/tun", before: ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /dev/net && exec \"$@\"", "sh"]);

    [Fact]
    public Task Run_WithoutCapability_IsRefused() =>
        RefusedAsync("NET_ADMIN", before: ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]);

    [Theory]
    [InlineData("Device:StartUserspace is false; load the module 'wireguard'", "StartUserspace", "false")]
    [InlineData("Device:Transport is Kernel, but this kernel has no WireGuard; load the module 'wireguard'", "Transport", "\"Kernel\"")]
    public async Task Run_KernelWithoutWireGuard_IsRefusedUnlessUserspaceIsAllowed(string mentioned, string setting, string value)
    {
        Assert.SkipWhen(
            await new NetlinkWireGuardClient(TimeProvider.System).IsAvailableAsync(Token), "This machine's kernel has WireGuard.");
        await RefusedAsync(mentioned, c => c["Device"]![setting] = JsonNode.Parse(value));
    }

    // Debian has wireguard-go in /usr/bin and what a silo may need besides, such as ip, in /usr/sbin.
    [Fact]
    public Task Run_WireGuardGoNotInstalled_IsRefused() => RefusedAsync(
        "wireguard-go", before: ["env", $"PATH={fixture.Mesh.State.BinDirectory}:/usr/sbin:/sbin"]);

    [Theory]
    [InlineData("veth", "link add {dev} type veth peer name other0")]
    [InlineData("bridge", "link add {dev} type bridge")]
    public async Task Run_InterfaceNameTakenByAnotherKind_IsRefused(string kind, string command)
    {
        LocalMeshCollection.SkipUnlessPossible();
        var mesh = fixture.Mesh;
        (await mesh.RunAsync(First, Token, ["ip", .. command.Replace("{dev}", MeshPlan.DeviceName, StringComparison.Ordinal).Split(' ')]))
            .EnsureSuccess();
        try
        {
            await RefusedAsync($"kind '{kind}'", leavesDevice: true);
            Assert.Contains(kind, (await mesh.RunAsync(First, Token, "ip", "-d", "link", "show", MeshPlan.DeviceName)).Output,
                StringComparison.Ordinal);
        }
        finally
        {
            await mesh.RunAsync(First, Token, "ip", "link", "delete", MeshPlan.DeviceName);
        }
    }

    // As wg-quick would have made it, whose peer carries a network that is none of the roster's.
    [Fact]
    public async Task Run_DeviceOfSomebodyElse_IsRefusedAndNotTouched()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var mesh = fixture.Mesh;
        const string Make =
            $"wireguard-go {MeshPlan.DeviceName} && wg genkey | wg set {MeshPlan.DeviceName} private-key /dev/stdin listen-port 51820 "
            + "peer xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg= allowed-ips 10.99.0.0/16";
        const string Show = $"wg show {MeshPlan.DeviceName}; ip link show {MeshPlan.DeviceName}";
        (await mesh.RunAsync(First, Token, "sh", "-c", Make)).EnsureSuccess();
        try
        {
            var before = (await mesh.RunAsync(First, Token, "sh", "-c", Show)).Output;
            await RefusedAsync("10.99.0.0/16", leavesDevice: true);
            Assert.Equal(before, (await mesh.RunAsync(First, Token, "sh", "-c", Show)).Output);
            var cleanup = await mesh.RunAsync(First, Token, "owg", "cleanup");
            Assert.Equal((0, before), (cleanup.ExitCode, (await mesh.RunAsync(First, Token, "sh", "-c", Show)).Output));
            Assert.Contains("somebody else", cleanup.Output, StringComparison.Ordinal);
        }
        finally
        {
            await mesh.RunAsync(First, Token, "ip", "link", "delete", MeshPlan.DeviceName);
        }
    }

    [Fact]
    public async Task Run_SiloNameClash_IsRefused()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var mesh = fixture.Mesh;
        var (first, second) = (mesh.Plan.Nodes[0], mesh.Plan.Nodes[1]);
        mesh.Configure(TimeSpan.FromMinutes(2));
        mesh.StartSilo(first);
        mesh.StartSilo(second);
        try
        {
            await new MeshStarter(mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage)
                .WaitReadyAsync(mesh.Plan.Nodes, Token);
            await mesh.KillSiloAsync(second, Token);
            await ClearAsync();

            // The second machine now claims to be the first, at its own address.
            await RefusedAsync(
                first.Name,
                c =>
                {
                    Static(c, 0)["Addresses"] = new JsonArray(second.Address.ToString());
                    Static(c, 1)["Addresses"] = new JsonArray(first.Address.ToString());
                },
                on: second);
            Assert.True((await mesh.AskReadyAsync(first, Token)).IsReady, "the rightful owner of the name suffered");
        }
        finally
        {
            await mesh.KillSiloAsync(first, Token);
            await ClearAsync();
        }

        async Task ClearAsync()
        {
            foreach (var node in mesh.Silo(first) is { IsAlive: true } ? [second] : (NodePlan[])[first, second])
            {
                foreach (var device in MeshPlan.DeviceNames)
                {
                    await mesh.RunAsync(node, Token, "ip", "link", "delete", device);
                }

                await mesh.RunAsync(node, Token, "ip", "rule", "delete", "lookup", "201");
                await mesh.RunAsync(node, Token, "ip", "rule", "delete", "priority", "200");
                await mesh.RunAsync(node, Token, "ip", "route", "flush", "table", "201");
            }
        }
    }

    private void ByApiServer(JsonObject configuration, string address)
    {
        configuration.Remove("Nodes");
        configuration["Node"]!["Address"] = First.Address.ToString();
        configuration["Kubernetes"] = new JsonObject { ["Address"] = address };
    }

    private async Task RefusedAsync(
        string mentioned, Action<JsonObject>? spoil = null, string[]? before = null, NodePlan? on = null, bool leavesDevice = false)
    {
        LocalMeshCollection.SkipUnlessPossible();
        var (mesh, node) = (fixture.Mesh, on ?? First);
        var configuration = SiloConfiguration.Create(mesh.Plan, First, TimeSpan.FromSeconds(5));

        // So that only what the test spoils is wrong: the address of the page is local on either node.
        configuration["Web"]!["Address"] = IPAddress.Loopback.ToString();
        spoil?.Invoke(configuration);
        var file = Path.Combine(mesh.State.NodeDirectory(node), "bad.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString(), Token);

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Limit);
        CommandResult result;
        try
        {
            result = await mesh.RunAsync(node, limit.Token, [.. before ?? [], "owg", "run", "--config", file]);
        }
        catch (OperationCanceledException) when (!Token.IsCancellationRequested)
        {
            Assert.Fail($"The silo still ran after {Limit.TotalSeconds:0} s.");
            return;
        }

        Assert.True(result.ExitCode == 2, $"exit code {result.ExitCode}\n{result.Error}\n{result.Output}");
        Assert.Contains(mentioned, Assert.Single(result.Error.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
        if (!leavesDevice)
        {
            await AssertUnconfiguredAsync(node);
        }
    }

    private async Task AssertUnconfiguredAsync(NodePlan node)
    {
        var mesh = fixture.Mesh;
        foreach (var device in MeshPlan.DeviceNames)
        {
            Assert.NotEqual(0, (await mesh.RunAsync(node, Token, "ip", "link", "show", device)).ExitCode);
        }

        Assert.Equal("", (await mesh.RunAsync(node, Token, "ls", TopologyBuilder.SocketDirectory)).Output);
        Assert.DoesNotContain("201", (await mesh.RunAsync(node, Token, "ip", "rule", "show")).Output, StringComparison.Ordinal);
        Assert.Equal("", (await Command.RunAsync("ip", ["netns", "pids", node.Namespace], Token)).Output);
    }

    private Socket Occupy(SocketType type, IPAddress address, int port)
    {
        LocalMeshCollection.SkipUnlessPossible();
        var socket = NetworkNamespace.Run(First.Namespace, () => new Socket(AddressFamily.InterNetwork, type, ProtocolType.Unspecified));
        socket.Bind(new IPEndPoint(address, port));
        if (type == SocketType.Stream)
        {
            socket.Listen();
        }

        return socket;
    }

    private static JsonNode Static(JsonObject configuration, int index) => configuration["Nodes"]!["Static"]![index]!;
}
