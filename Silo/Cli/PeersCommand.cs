using System.CommandLine;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg peers</c>: the peers on a node's devices.</summary>
internal static class PeersCommand
{
    /// <summary>Makes the verb.</summary>
    public static Command Create() =>
        NodeVerb.Create("peers", "Show the peers on a node's devices: endpoint, allowed IPs, latest handshake, transfer.", ShowAsync);

    private static async Task<int> ShowAsync(ParseResult parsed, MeshConnection connection, CancellationToken cancellationToken)
    {
        var status = await connection.Grains.GetGrain<INodeGrain>(connection.NodeName).GetStatus(cancellationToken);
        if (parsed.GetValue(CommonOptions.Output) == OutputFormat.Json)
        {
            MeshJson.Print(status.Devices);
        }
        else
        {
            foreach (var device in status.Devices)
            {
                Print(device, status.TakenAt);
            }
        }

        return status.Problems.Count == 0 ? ExitCode.Success : ExitCode.Unhealthy;
    }

    private static string Describe(DeviceStatus device) => TransportText.Describe(device.Transport)
        + (TransportText.Describe(device.TransportReason) is { Length: > 0 } reason ? $" ({reason})" : "");

    private static void Print(DeviceStatus device, DateTimeOffset now)
    {
        Terminal.Out.Line($"{device.Name}: key {device.PublicKey?.ToString() ?? "none"}, UDP {device.ListenPort}, MTU {device.Mtu}, {Describe(device)}");
        Terminal.Out.Table(
            ["NODE", "KEY", "ENDPOINT", "ALLOWED IPS", "HANDSHAKE", "RECEIVED", "SENT", "STATE"],
            device.Peers.Select(peer => (string[])[
                peer.NodeName ?? "?",
                peer.PublicKey.ToShortString(),
                peer.Endpoint?.ToString() ?? "-",
                string.Join(", ", peer.AllowedIPs),
                Format.Ago(peer.LastHandshakeTime, now),
                Format.Bytes(peer.ReceiveBytes),
                Format.Bytes(peer.TransmitBytes),
                peer.State.ToString(),
            ]));
    }
}
