using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Silo.Web;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Looks at the machine before anything is made on it: everything the silo will need, all faults at once.</summary>
internal sealed class StartupChecks(
    IOptions<NodeOptions> node,
    IOptions<NodesOptions> nodes,
    IOptions<ClusteringOptions> clustering,
    IOptions<DeviceOptions> device,
    IOptions<RotationOptions> rotation,
    IOptions<WebOptions> web,
    IWireGuardClient devices,
    ILinkClient links,
    INodeRosterSource roster,
    NodeNameCheck name)
{
    // CAP_NET_ADMIN in linux/capability.h.
    private const int NetAdminBit = 12;
    private const string TunDevice = "/dev/net/tun";

    /// <summary>Checks everything.</summary>
    /// <exception cref="StartupException">Something is missing or taken.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var faults = new List<string>();
        var address = LocalAddress.Of(node.Value, nodes.Value);
        CheckCapability(faults);
        foreach (var slot in SlotDevices.Slots(rotation.Value.Slots))
        {
            var existing = await CheckDeviceAsync(device.Value.DeviceNames.Of(slot), faults, cancellationToken);
            if (existing is null && slot == Slot.Zero && devices is UapiWireGuardClient && device.Value.StartUserspace)
            {
                CheckUserspace(faults);
            }

            // A device that outlived the former silo has its port already.
            var port = device.Value.ListenPort + slot.Index;
            if (existing?.ListenPort != port)
            {
                CheckPort(faults, SocketType.Dgram, IPAddress.Any, port, slot == Slot.Zero ? "Device:ListenPort" : "Device:ListenPort + 1");
            }
        }

        CheckPort(faults, SocketType.Stream, address, clustering.Value.SiloPort, "Clustering:SiloPort");
        if (clustering.Value.GatewayPort != 0)
        {
            var gateway = IPAddress.Parse(clustering.Value.GatewayAddress);
            CheckPort(faults, SocketType.Stream, gateway, clustering.Value.GatewayPort, "Clustering:GatewayPort");
        }

        CheckPort(faults, SocketType.Stream, IPAddress.Parse(web.Value.Address), web.Value.Port, "Web:Port");

        // With Kubernetes the silo looks when it starts, since the API server may be away for a while.
        if (faults.Count == 0 && clustering.Value.Provider == ClusteringProvider.Redis)
        {
            await CheckNameAsync(faults, cancellationToken);
        }

        if (faults.Count > 0)
        {
            throw new StartupException(faults);
        }
    }

    /// <summary>A device of our name has to be one that a former silo of this node left: of our kind, and configured by us.</summary>
    /// <returns>It; <see langword="null"/> if there is none.</returns>
    private async Task<Device?> CheckDeviceAsync(string name, List<string> faults, CancellationToken cancellationToken)
    {
        if (FindForeignKind(await links.TryGetLinkAsync(name, cancellationToken), devices is UapiWireGuardClient) is { } fault)
        {
            faults.Add(fault);
            return null;
        }

        // Without the capability the kernel says nothing of its devices.
        if (faults.Count > 0 || await devices.TryGetDeviceAsync(name, cancellationToken) is not { } existing)
        {
            return null;
        }

        // Kubernetes has not been asked yet; then the agent judges again when it has answered.
        var known = roster.Current;
        var announcements = ImmutableDictionary<string, PeerAnnouncement>.Empty;
        var routes = await links.GetRoutesAsync(cancellationToken);
        var owner = DeviceOwnership.Judge(existing, node.Value.Name, known, announcements, routes);
        if (owner == DeviceOwner.SomebodyElse && !device.Value.TakeOver)
        {
            faults.Add(DeviceOwnership.Describe(existing, known, announcements, routes));
        }

        return existing;
    }

    /// <summary>What is wrong with a link that has our name and is no device of the chosen transport. Pure.</summary>
    /// <param name="link">The link of our name; <see langword="null"/> if there is none.</param>
    /// <param name="isUserspace">Which transport was chosen.</param>
    internal static string? FindForeignKind(Link? link, bool isUserspace)
    {
        var expected = isUserspace ? UapiWireGuardClient.LinkKind : NetlinkWireGuardClient.LinkKind;
        if (link is null || link.Kind == expected)
        {
            return null;
        }

        // Its former self ran with the other transport.
        var isOtherTransport = link.Kind is UapiWireGuardClient.LinkKind or NetlinkWireGuardClient.LinkKind;
        return $"The interface name {link.Name} is taken by a link of kind '{link.Kind}', but this silo needs one of kind '{expected}'; "
            + (isOtherTransport
                ? $"set Device:Transport to {(isUserspace ? nameof(DeviceTransport.Kernel) : nameof(DeviceTransport.Userspace))} to go on with it, or remove it with 'owg cleanup'."
                : $"rename that link ('ip link set {link.Name} name ...'), or delete it if nobody needs it.");
    }

    private static void CheckCapability(List<string> faults)
    {
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("CapEff:", StringComparison.Ordinal));
        var effective = ulong.Parse(line["CapEff:".Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        if ((effective & (1UL << NetAdminBit)) == 0)
        {
            faults.Add(
                "The capability CAP_NET_ADMIN is missing, which configuring WireGuard, links and routes needs; run as root or grant it.");
        }
    }

    private void CheckUserspace(List<string> faults)
    {
        if (!File.Exists(TunDevice))
        {
            faults.Add($"{TunDevice} is missing, which {device.Value.UserspaceCommand} needs; load the module 'tun' or give the container the device.");
        }

        if (SystemCommand.Find(device.Value.UserspaceCommand) is null)
        {
            faults.Add(
                $"Device:UserspaceCommand '{device.Value.UserspaceCommand}' is not on the PATH; install it (Debian: apt-get install wireguard-go) or name another.");
        }
    }

    private static void CheckPort(List<string> faults, SocketType type, IPAddress address, int port, string setting)
    {
        var protocol = type == SocketType.Stream ? ProtocolType.Tcp : ProtocolType.Udp;
        try
        {
            // The framework sets SO_REUSEADDR for TCP, so connections of the former silo in TIME_WAIT do not hinder the new one.
            using var socket = new Socket(address.AddressFamily, type, protocol);
            socket.Bind(new IPEndPoint(address, port));
        }
        catch (SocketException e)
        {
            var what = $"{setting}: {protocol.ToString().ToUpperInvariant()} {new IPEndPoint(address, port)}";
            faults.Add(e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => $"{what} is in use; end the process that has it (ss -lp shows it), or set another port.",
                SocketError.AddressNotAvailable =>
                    $"{what} is not an address of this machine; correct the address of '{setting.Split(':')[0]}'.",
                SocketError.AccessDenied => $"{what} may not be bound by this user; use a port above 1023.",
                _ => $"{what} cannot be bound: {e.Message}.",
            });
        }
    }

    private async Task CheckNameAsync(List<string> faults, CancellationToken cancellationToken)
    {
        try
        {
            if (await name.RunAsync(cancellationToken) is { } fault)
            {
                faults.Add(fault);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            faults.Add(
                $"Clustering:{clustering.Value.Provider} cannot be reached at '{clustering.Value.Redis}': {e.Message.Split('\n')[0]} Start it, or correct the address.");
        }
    }
}
