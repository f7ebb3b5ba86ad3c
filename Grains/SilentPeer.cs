using System.Globalization;
using System.Net;

namespace Orleans.WireGuard.Grains;

/// <summary>A node whose silo answers, with which no slot has a handshake that counts.</summary>
/// <param name="NodeName">Which is also the name of that silo.</param>
/// <param name="Since">Since when, for people.</param>
/// <param name="Endpoints">Where it was sent to in vain.</param>
internal sealed record SilentPeer(string NodeName, DateTimeOffset Since, EquatableArray<IPEndPoint> Endpoints)
{
    // With more of them it is this node that is cut off, and their names say nothing.
    private const int MaxNamed = 3;

    /// <summary>What people are told of them; <see langword="null"/> if there are none.</summary>
    public static string? Describe(EquatableArray<SilentPeer> peers)
    {
        if (peers.Count == 0)
        {
            return null;
        }

        var named = peers.Take(MaxNamed).Select(peer => string.Create(
            CultureInfo.InvariantCulture,
            $"{peer.NodeName} since {peer.Since.UtcDateTime:HH:mm:ss} UTC (tried {(peer.Endpoints.Count > 0 ? string.Join(", ", peer.Endpoints) : "no address")})"));
        var more = peers.Count > MaxNamed ? string.Create(CultureInfo.InvariantCulture, $" and {peers.Count - MaxNamed} more") : "";
        return $"no tunnel works to {string.Join("; ", named)}{more}, although the silos answer";
    }
}
