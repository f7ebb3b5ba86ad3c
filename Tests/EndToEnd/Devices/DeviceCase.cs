// What every transport has to do on a real device, and where it is tried.
using System.Net;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Devices;

/// <summary>
/// One case of the table that every transport has to pass on the kernel or on wireguard-go, and the fake of the other tests in memory.
/// </summary>
/// <param name="Name">Unique; words joined by underscores.</param>
/// <param name="Run">Runs in the network namespace of <see cref="DeviceCaseContext.A"/>; throws if it fails.</param>
/// <param name="KernelOnly">Whether it is about something that only the kernel's own WireGuard has.</param>
/// <param name="NeedsSystem">Whether it is about something that a device in memory does not have: packets, ports, other links.</param>
internal sealed record DeviceCase(string Name, Func<DeviceCaseContext, Task> Run, bool KernelOnly = false, bool NeedsSystem = false)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A node: a network namespace with one end of a cable, and a client in it; or a client in memory.</summary>
/// <param name="Client">Of the transport under test.</param>
/// <param name="Links">Links and routes of the node.</param>
/// <param name="DeviceName">Name of its device, another one on every node: a userspace device's socket is found by its name alone.</param>
/// <param name="IPv4">Its address on the cable, /24.</param>
/// <param name="IPv6">Its address on the cable, /64.</param>
/// <param name="Space">Where it lives; <see langword="null"/> in memory.</param>
internal sealed record DeviceCaseNode(
    IWireGuardClient Client, ILinkClient Links, string DeviceName, IPAddress IPv4, IPAddress IPv6, NamespaceThread? Space)
{
    /// <summary>Name of the end of the cable.</summary>
    public const string Cable = "eth0";

    /// <summary>Where it lives; for a case that <see cref="DeviceCase.NeedsSystem"/>.</summary>
    public NamespaceThread Namespace =>
        Space ?? throw new ExpectationException("expected: a node of the system, which this one in memory is not");

    /// <summary>Links, addresses and routes of its namespace; for a case that <see cref="DeviceCase.NeedsSystem"/>.</summary>
    public NetlinkLinkClient SystemLinks => Links as NetlinkLinkClient ?? throw new ExpectationException("expected: a node of the system");

    /// <summary>Reads the device, which must exist.</summary>
    public async Task<Device> GetDeviceAsync(CancellationToken cancellationToken) =>
        Expect.NotNull(await Client.TryGetDeviceAsync(DeviceName, cancellationToken));

    /// <summary>Changes the device.</summary>
    public Task ConfigureAsync(DevicePatch patch, CancellationToken cancellationToken) =>
        Client.ConfigureAsync(DeviceName, patch, cancellationToken);

    /// <summary>Changes peers of the device.</summary>
    public Task ConfigureAsync(EquatableArray<PeerPatch> peers, CancellationToken cancellationToken) =>
        ConfigureAsync(new DevicePatch(null, null, peers), cancellationToken);
}

/// <summary>Two nodes joined by a cable, made for one case.</summary>
internal sealed class DeviceCaseContext : IAsyncDisposable
{
    private DeviceCaseContext(DeviceCaseNode a, DeviceCaseNode b, CancellationToken cancellationToken)
    {
        A = a;
        B = b;
        CancellationToken = cancellationToken;
    }

    /// <summary>The node on whose thread the case runs.</summary>
    public DeviceCaseNode A { get; }

    /// <summary>The other node; use its client through <see cref="NamespaceThread.RunAsync(Func{Task})"/>.</summary>
    public DeviceCaseNode B { get; }

    /// <summary>Ends the case when it takes too long.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>Runs a case between two fresh nodes, whose clients of the transport under test are made inside their namespaces.</summary>
    public static async Task RunAsync(DeviceCase deviceCase, Func<IWireGuardClient> newClient, CancellationToken cancellationToken)
    {
        await using var context = await CreateAsync(newClient, cancellationToken);
        await context.A.Namespace.RunAsync(() => deviceCase.Run(context)).WaitAsync(cancellationToken);
    }

    /// <summary>Runs a case that does not need the system on a client in memory.</summary>
    public static Task RunInMemoryAsync(
        DeviceCase deviceCase, IWireGuardClient client, ILinkClient links, CancellationToken cancellationToken)
    {
        var node = new DeviceCaseNode(client, links, "owgtest-a", IPAddress.None, IPAddress.None, Space: null);
        return deviceCase.Run(new DeviceCaseContext(node, node, cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var node in new[] { A, B })
        {
            // A userspace device is a process, which a namespace does not take along. A kernel device may be of another kind by now.
            if (node.Client is not NetlinkWireGuardClient)
            {
                await node.Namespace.RunAsync(() => node.Client.DeleteDeviceAsync(node.DeviceName, CancellationToken.None));
            }

            node.Namespace.Dispose();
        }
    }

    private static async Task<DeviceCaseContext> CreateAsync(Func<IWireGuardClient> newClient, CancellationToken cancellationToken)
    {
        var a = await CreateNodeAsync("a", 1, newClient, cancellationToken);
        var b = await CreateNodeAsync("b", 2, newClient, cancellationToken);
        await a.Namespace.ConnectAsync(DeviceCaseNode.Cable, b.Namespace, DeviceCaseNode.Cable, cancellationToken);
        foreach (var node in new[] { a, b })
        {
            await node.Namespace.RunAsync(async () =>
            {
                await node.SystemLinks.AddAddressAsync(DeviceCaseNode.Cable, new LinkAddress(node.IPv4, 24), cancellationToken);
                await node.SystemLinks.AddAddressAsync(DeviceCaseNode.Cable, new LinkAddress(node.IPv6, 64), cancellationToken);
            });
        }

        return new DeviceCaseContext(a, b, cancellationToken);
    }

    private static async Task<DeviceCaseNode> CreateNodeAsync(
        string name, int number, Func<IWireGuardClient> newClient, CancellationToken cancellationToken)
    {
        var space = await NamespaceThread.CreateAsync(name, cancellationToken);
        var client = await space.RunAsync(() => Task.FromResult(newClient()));
        return new DeviceCaseNode(
            client,
            new NetlinkLinkClient(TimeProvider.System),
            $"owgtest-{name}",
            IPAddress.Parse($"192.0.2.{number}"),
            IPAddress.Parse($"2001:db8::{number}"),
            space);
    }
}
