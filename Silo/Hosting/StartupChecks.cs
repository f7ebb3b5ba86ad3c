using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Looks at the machine before anything is made on it: everything the silo will need, all faults at once.</summary>
internal sealed class StartupChecks(
    IOptions<NodeOptions> node,
    IOptions<NodesOptions> nodes,
    IOptions<ClusteringOptions> clustering,
    IOptions<DeviceOptions> device,
    IOptions<WebOptions> web,
    IWireGuardClient devices,
    IServiceProvider services)
{
    // CAP_NET_ADMIN in linux/capability.h.
    private const int NetAdminBit = 12;
    private const string TunDevice = "/dev/net/tun";

    /// <summary>Checks everything.</summary>
    /// <exception cref="StartupException">Something is missing or taken.</exception>
    public async Task Run(CancellationToken cancellationToken)
    {
        var faults = new List<string>();
        var address = LocalAddress();
        var existing = await devices.TryGetDevice(ReconcilePass.DeviceName, cancellationToken);
        CheckCapability(faults);
        if (existing is null && device.Value.StartUserspace)
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

        if (faults.Count == 0 && clustering.Value.Provider != ClusteringProvider.Development)
        {
            await CheckName(faults, new IPEndPoint(address, clustering.Value.SiloPort), cancellationToken);
        }

        if (faults.Count > 0)
        {
            throw new StartupException(faults);
        }
    }

    private IPAddress LocalAddress() =>
        StaticRoster.TryParse(nodes.Value, node.Value.Name, out var failures)?.Find(node.Value.Name)?.Addresses[0]
        ?? throw new StartupException(failures);

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

    /// <summary>
    /// Two silos of one name would both claim the node's key. A row of our own address is our former self, and one that nobody answers for
    /// is a silo that died a moment ago.
    /// </summary>
    private async Task CheckName(List<string> faults, IPEndPoint self, CancellationToken cancellationToken)
    {
        MembershipTableData table;
        try
        {
            var membership = services.GetRequiredService<IMembershipTable>();
            await membership.InitializeMembershipTableAsync(true, cancellationToken);
            table = await membership.ReadAllAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            faults.Add(
                $"Clustering:{clustering.Value.Provider} cannot be reached at '{clustering.Value.Redis}': {e.Message.Split('\n')[0]} Start it, or correct the address.");
            return;
        }

        foreach (var (entry, _) in table.Members)
        {
            var endpoint = entry.SiloAddress.Endpoint;
            if (entry.Status == SiloStatus.Active && entry.SiloName == node.Value.Name && !endpoint.Equals(self)
                && await Answers(endpoint, cancellationToken))
            {
                faults.Add($"Node:Name '{node.Value.Name}' is borne by another silo, which answers at {endpoint}; every node has a name of its own.");
            }
        }
    }

    private static async Task<bool> Answers(IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(TimeSpan.FromSeconds(1));
        using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(endpoint, timeout.Token);
            return true;
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }
}
