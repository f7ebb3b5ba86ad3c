using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>Why a verb has no way to the mesh: a sentence for each kind of reason, and what to do about it. Pure.</summary>
internal static class GatewayFaults
{
    /// <summary>What a refused attempt to connect tells.</summary>
    /// <param name="gateway">Where.</param>
    /// <param name="error">How it ended.</param>
    /// <returns><see langword="null"/> if somebody accepted it.</returns>
    public static string? Describe(IPEndPoint gateway, SocketError error) => error switch
    {
        SocketError.Success => null,
        SocketError.ConnectionRefused =>
            $"Nobody listens at {gateway}: is 'owg run' running there, and is that its gateway (Clustering:GatewayAddress and GatewayPort, or --gateway)?",
        SocketError.TimedOut =>
            $"Nothing came back from {gateway} within {TcpProbe.Timeout.TotalSeconds:0} s: the machine is away, or a firewall drops the packets.",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.NetworkDown =>
            $"There is no way to {gateway}: {Text(error)}. Correct Clustering:GatewayAddress or --gateway, or the routes of this machine.",
        _ => $"{gateway} cannot be reached: {Text(error)}.",
    };

    /// <summary>What it tells that somebody accepted the connection and has said nothing for a moment.</summary>
    public static string DescribeSilence(IPEndPoint gateway, TimeSpan limit) =>
        $"Somebody listens at {gateway} and has not answered yet: a silo that hangs, one that is just starting, or a busy machine. Waiting up to {limit.TotalSeconds:0} s.";

    /// <summary>What it tells that no client could be made of an accepted connection.</summary>
    /// <param name="gateway">Where.</param>
    /// <param name="clusterId">The cluster that was asked for.</param>
    /// <param name="reason">How the handshake ended; <see langword="null"/> if it did not.</param>
    public static string Describe(IPEndPoint gateway, string clusterId, Exception? reason) => reason switch
    {
        null => $"Somebody listens at {gateway} and does not answer: a silo that hangs or is just starting, or no gateway of a silo at all.",

        // Orleans gives its reason in words only.
        _ when reason.Message.Contains("cluster id", StringComparison.OrdinalIgnoreCase) =>
            $"The silo at {gateway} belongs to another Orleans cluster than '{clusterId}': {reason.Message.TrimEnd('.')}. Set Clustering:ClusterId to the same as there.",
        _ => $"What listens at {gateway} is no gateway of a silo, or one of another version: {reason.Message.TrimEnd('.')}.",
    };

    private static string Text(SocketError error) => new SocketException((int)error).Message;
}
