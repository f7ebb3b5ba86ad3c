using System.Globalization;
using System.Net;

namespace Orleans.WireGuard.Grains.Agent;

/// <summary>A node whose silo answers, with which no slot has a handshake that counts.</summary>
/// <param name="NodeName">Which is also the name of that silo.</param>
/// <param name="Since">Since when, for people.</param>
/// <param name="Endpoints">Where it was sent to in vain.</param>
internal sealed record SilentPeer(string NodeName, DateTimeOffset Since, EquatableArray<IPEndPoint> Endpoints)
{
    // With more of them it is this node that is cut off, and their names say nothing.
    private const int MaxNamed = 3;

    /// <summary>What is wrong with the node that has them; <see langword="null"/> if there are none.</summary>
    public static NodeProblem? FindProblem(EquatableArray<SilentPeer> peers) => peers.Count == 0
        ? null
        : new NodeProblem(
            NodeProblemCode.TunnelsSilent,
            [peers.Count.ToString(CultureInfo.InvariantCulture), .. peers.Take(MaxNamed).SelectMany(Describe)]);

    private static string[] Describe(SilentPeer peer) =>
        [peer.NodeName, peer.Since.ToString("O", CultureInfo.InvariantCulture), string.Join(", ", peer.Endpoints)];
}
