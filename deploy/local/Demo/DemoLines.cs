using System.Globalization;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>The demo as plain lines, for an output that is no terminal.</summary>
internal static class DemoLines
{
    /// <summary>What to open and what to type.</summary>
    public static IEnumerable<string> Introduce(DemoSnapshot snapshot) =>
    [
        $"Orleans Dashboard: {snapshot.Plan.DashboardUri}",
        "Try:  deploy/local/exec node-1 wg show",
        "      deploy/local/exec node-1 owg status",
        .. snapshot.Hints,
        "Ctrl-C ends the demo and removes everything.",
    ];

    /// <summary>One line for each node and one for the pings.</summary>
    public static IEnumerable<string> Render(DemoSnapshot snapshot)
    {
        foreach (var row in snapshot.Rows)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{row.Name}: epoch {row.Epoch?.ToString(CultureInfo.InvariantCulture) ?? "-"}, key {row.PublicKey} for {DemoFormat.Age(row.KeyAge)}, ")
                + $"held by {row.Agreeing}/{snapshot.Rows.Count - 1} peers, handshake {DemoFormat.Age(row.HandshakeAge)} ago, "
                + $"received {Format.Bytes(row.ReceiveBytes)}, sent {Format.Bytes(row.TransmitBytes)}, {row.Rotations} rotations"
                + (row.Problem.Length == 0 ? "" : $"; problem: {row.Problem}");
        }

        var silent = snapshot.Pings.Where(p => p.Value.Sent > 0 && p.Value.Lost == p.Value.Sent).Select(p => p.Key.ToString()).ToList();
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"pings: {snapshot.Pings.Count - silent.Count} of {snapshot.Pings.Count} pairs answered, {snapshot.Pings.Values.Sum(p => p.Lost)} of {snapshot.Pings.Values.Sum(p => p.Sent)} lost in the last 5 s")
            + (silent.Count == 0 ? "" : $"; silent: {string.Join(", ", silent.Take(6))}")
            + (snapshot.Note.Length == 0 ? "" : $"; {snapshot.Note}");
    }
}
