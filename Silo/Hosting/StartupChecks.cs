using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Devices.Uapi;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Looks at the machine before anything is made on it: everything the silo will need, all faults at once.</summary>
internal sealed class StartupChecks(
    IOptions<NodeOptions> node,
    IOptions<NodesOptions> nodes,
    IOptions<ClusteringOptions> clustering,
    IOptions<DeviceOptions> device,
    IOptions<WebOptions> web,
    IWireGuardClient devices,
    NodeNameCheck name)
{
    // CAP_NET_ADMIN in linux/capability.h.
    private const int NetAdminBit = 12;
    private const string TunDevice = "/dev/net/tun";

    /// <summary>Checks everything.</summary>
    /// <exception cref="StartupException">Something is missing or taken.</exception>
    public async Task Run(CancellationToken cancellationToken)
    {
        var faults = new List<string>();
        var address = LocalAddress.Of(node.Value, nodes.Value);
        var existing = await devices.TryGetDevice(ReconcilePass.DeviceName, cancellationToken);
        CheckCapability(faults);
        if (existing is null && devices is UapiWireGuardClient)
        {
            CheckUserspace(faults);
        }

        CheckPort(faults, SocketType.Stream, address, clustering.Value.SiloPort, "Clustering:SiloPort");
        if (clustering.Value.GatewayPort != 0)
        {
            var gateway = IPAddress.Parse(clustering.Value.GatewayAddress);
            CheckPort(faults, SocketType.Stream, gateway, clustering.Value.GatewayPort, "Clustering:GatewayPort");
        }

        CheckPort(faults, SocketType.Stream, IPAddress.Parse(web.Value.Address), web.Value.Port, "Web:Port");

        // A device that outlived the former silo has its port already.
        if (existing?.ListenPort != device.Value.ListenPort)
        {
            CheckPort(faults, SocketType.Dgram, IPAddress.Any, device.Value.ListenPort, "Device:ListenPort");
        }

        // With Kubernetes the silo looks when it starts, since the API server may be away for a while.
        if (faults.Count == 0 && clustering.Value.Provider == ClusteringProvider.Redis)
        {
            await CheckName(faults, cancellationToken);
        }

        if (faults.Count > 0)
        {
            throw new StartupException(faults);
        }
    }

    private static void CheckCapability(List<string> faults)
    {
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("CapEff:", StringComparison.Ordinal));
        var effective = ulong.Parse(line["CapEff:".Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        if ((effective & (1UL << NetAdminBit)) == 0)
        {
            faults.Add("The capability CAP_NET_ADMIN is missing, which configuring WireGuard, links and routes needs; run as root or grant it.");
        }
    }

    private void CheckUserspace(List<string> faults)
    {
        if (!File.Exists(TunDevice))
        {
            faults.Add($"{TunDevice} is missing, which {device.Value.UserspaceCommand} needs; load the module 'tun' or give the container the device.");
        }

        if (FindCommand(device.Value.UserspaceCommand) is null)
        {
            faults.Add(
                $"Device:UserspaceCommand '{device.Value.UserspaceCommand}' is not on the PATH; install it (Debian: apt-get install wireguard-go) or name another.");
        }
    }

    private static string? FindCommand(string command) => command.Contains('/')
        ? File.Exists(command) ? command : null
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, command)).FirstOrDefault(File.Exists);

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
                SocketError.AddressNotAvailable => $"{what} is not an address of this machine; correct the address of '{setting.Split(':')[0]}'.",
                SocketError.AccessDenied => $"{what} may not be bound by this user; use a port above 1023.",
                _ => $"{what} cannot be bound: {e.Message}.",
            });
        }
    }

    private async Task CheckName(List<string> faults, CancellationToken cancellationToken)
    {
        try
        {
            if (await name.Run(cancellationToken) is { } fault)
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
