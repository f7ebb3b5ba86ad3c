using System.CommandLine;
using Spectre.Console;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg peers</c>: the peers on a node's devices.</summary>
internal static class PeersCommand
{
    /// <summary>Makes the verb.</summary>
    public static Command Create()
    {
        var command = new Command("peers", "Show the peers on a node's devices: endpoint, allowed IPs, latest handshake, transfer.")
        {
            CommonOptions.Node, CommonOptions.Output, CommonOptions.Gateway, CommonOptions.Config,
        };
        command.SetAction((parsed, cancellationToken) => MeshConnection.Use(parsed, connection => Show(parsed, connection, cancellationToken), cancellationToken));
        return command;
    }

    private static async Task<int> Show(ParseResult parsed, MeshConnection connection, CancellationToken cancellationToken)
    {
        if (connection.NodeName.Length == 0)
        {
            await Console.Error.WriteLineAsync("owg: Which node? Give --node, or set NODE_NAME.");
            return ExitCode.Misconfigured;
        }

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

        return status.Problem is null ? ExitCode.Success : ExitCode.Unhealthy;
    }

    private static string Because(DeviceStatus device) => device.TransportReason.Length == 0 ? "" : $" ({device.TransportReason})";

    private static void Print(DeviceStatus device, DateTimeOffset now)
    {
        Console.Out.WriteLine($"{device.Name}: key {device.PublicKey?.ToString() ?? "none"}, UDP {device.ListenPort}, MTU {device.Mtu}, {device.Transport}{Because(device)}");
        var table = new Table().Border(TableBorder.Simple).AddColumns("NODE", "KEY", "ENDPOINT", "ALLOWED IPS", "HANDSHAKE", "RECEIVED", "SENT", "STATE");
        foreach (var peer in device.Peers)
        {
            table.AddRow(
                new Text(peer.NodeName ?? "?"),
                new Text(peer.PublicKey.ToShortString()),
                new Text(peer.Endpoint?.ToString() ?? "-"),
                new Text(string.Join(", ", peer.AllowedIPs)),
                new Text(Format.Ago(peer.LastHandshakeTime, now)),
                new Text(Format.Bytes(peer.ReceiveBytes)),
                new Text(Format.Bytes(peer.TransmitBytes)),
                new Text(peer.State.ToString()));
        }

        Format.Print(table);
    }
}
