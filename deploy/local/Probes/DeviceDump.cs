using System.Globalization;

namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>A peer as <c>wg show DEVICE dump</c> prints it.</summary>
/// <param name="PublicKey">Base64.</param>
/// <param name="Endpoint">Address and port; <c>(none)</c> if the device has none.</param>
/// <param name="AllowedIPs">Prefixes, as printed.</param>
/// <param name="LatestHandshake"><see langword="null"/> before the first.</param>
/// <param name="ReceiveBytes">Bytes received since the peer was added.</param>
/// <param name="TransmitBytes">Bytes sent since the peer was added.</param>
internal sealed record PeerDump(
    string PublicKey, string Endpoint, IReadOnlyList<string> AllowedIPs,
    DateTimeOffset? LatestHandshake, long ReceiveBytes, long TransmitBytes);

/// <summary>A WireGuard device as the <c>wg</c> tool sees it: evidence that owes nothing to our own code.</summary>
/// <param name="PublicKey">Base64 of the key in use; <see langword="null"/> if the device has none.</param>
/// <param name="ListenPort">UDP port.</param>
/// <param name="Peers">In the order of the tool.</param>
/// <remarks>The private key is handed out beside it, never inside: a record prints its members.</remarks>
internal sealed record DeviceDump(string? PublicKey, int ListenPort, IReadOnlyList<PeerDump> Peers)
{
    private const string None = "(none)";

    /// <summary>The peer to which <paramref name="allowedIP"/> is routed, or <see langword="null"/>.</summary>
    public PeerDump? PeerFor(string allowedIP) => Peers.FirstOrDefault(p => p.AllowedIPs.Contains(allowedIP));

    /// <summary>Parses the tool's output.</summary>
    /// <param name="text">Tab-separated: one line for the device, one for each peer; see <c>wg(8)</c>.</param>
    /// <param name="privateKey">Base64; <see langword="null"/> if the device has none.</param>
    /// <exception cref="FormatException">The text is not such a dump.</exception>
    public static DeviceDump Parse(string text, out string? privateKey)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var device = lines.Length > 0 ? lines[0].Split('\t') : [];
        if (device.Length != 4)
        {
            // Never quote the line: its first field is the private key.
            throw new FormatException($"Expected a first line of 4 fields from 'wg show dump', got {device.Length}.");
        }

        privateKey = device[0] == None ? null : device[0];
        return new DeviceDump(device[1] == None ? null : device[1], (int)Number(device[2]), [.. lines.Skip(1).Select(ParsePeer)]);
    }

    /// <summary>Parses the output of <c>wg show all dump</c>: the same lines, each with the name of its device before it.</summary>
    /// <param name="text">The output.</param>
    /// <param name="names">The devices wanted, in the order of the result; one that is not there is left out.</param>
    /// <param name="onPrivateKey">Gets each private key; <see langword="null"/> for a device without one.</param>
    /// <exception cref="FormatException">The text is not such a dump.</exception>
    public static IReadOnlyList<DeviceDump> ParseAll(string text, IReadOnlyList<string> names, Action<string?> onPrivateKey)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('\t', 2))
            .Where(parts => parts.Length == 2)
            .ToLookup(parts => parts[0], parts => parts[1], StringComparer.Ordinal);
        List<DeviceDump> devices = [];
        foreach (var name in names.Where(lines.Contains))
        {
            devices.Add(Parse(string.Join('\n', lines[name]), out var privateKey));
            onPrivateKey(privateKey);
        }

        return devices;
    }

    private static PeerDump ParsePeer(string line)
    {
        var fields = line.Split('\t');
        if (fields.Length != 8)
        {
            throw new FormatException($"Expected a peer of 8 fields from 'wg show dump', got {fields.Length}.");
        }

        var handshake = Number(fields[4]);
        return new PeerDump(
            fields[0],
            fields[2],
            fields[3] == None ? [] : fields[3].Split(','),
            handshake == 0 ? null : DateTimeOffset.FromUnixTimeSeconds(handshake),
            Number(fields[5]),
            Number(fields[6]));
    }

    private static long Number(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
