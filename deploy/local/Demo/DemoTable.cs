using System.Globalization;
using Orleans.WireGuard.LocalMesh.Probes;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>Draws the demo on a terminal.</summary>
internal static class DemoTable
{
    private const string Good = "green";
    private const string Bad = "red";

    /// <summary>The whole picture.</summary>
    public static IRenderable Render(DemoSnapshot snapshot)
    {
        var parts = new List<IRenderable> { Nodes(snapshot), Pings(snapshot) };
        if (snapshot.Note.Length > 0)
        {
            parts.Add(new Markup($"[{Bad}]{Markup.Escape(snapshot.Note)}[/]"));
        }

        foreach (var line in DemoLines.Introduce(snapshot))
        {
            parts.Add(new Text(line));
        }

        return new Rows(parts);
    }

    private static Table Nodes(DemoSnapshot snapshot)
    {
        var others = snapshot.Rows.Count - 1;
        var table = new Table().Border(TableBorder.Rounded).Title(string.Create(
            CultureInfo.InvariantCulture, $"{snapshot.Rows.Count} nodes, a new key every {snapshot.Period.TotalSeconds:0} s, {snapshot.Rows.Sum(r => r.Rotations)} rotations so far"));
        table.AddColumns("node", "epoch", "key age", "public key", "peers that hold it", "handshake", "received", "sent", "rotations");
        foreach (var row in snapshot.Rows)
        {
            table.AddRow(
                row.Problem.Length == 0 ? new Markup(row.Name) : new Markup($"[{Bad}]{row.Name}: {Markup.Escape(row.Problem)}[/]"),
                new Text(row.Epoch?.ToString(CultureInfo.InvariantCulture) ?? "-"),
                new Text(DemoFormat.Age(row.KeyAge)),
                new Text(row.PublicKey),
                new Markup($"[{(row.Agreeing == others ? Good : Bad)}]{row.Agreeing}/{others}[/]"),
                new Text(DemoFormat.Age(row.HandshakeAge)),
                new Text(Format.Bytes(row.ReceiveBytes)),
                new Text(Format.Bytes(row.TransmitBytes)),
                new Text(row.Rotations.ToString(CultureInfo.InvariantCulture)));
        }

        return table;
    }

    private static Table Pings(DemoSnapshot snapshot)
    {
        var table = new Table().Border(TableBorder.Rounded).Title("answered pings, row to column");
        table.AddColumn("");
        foreach (var to in snapshot.Nodes)
        {
            // Twenty columns fit only without the word.
            table.AddColumn(new TableColumn(to.Number.ToString(CultureInfo.InvariantCulture)).RightAligned());
        }

        foreach (var from in snapshot.Nodes)
        {
            table.AddRow([new Text(from.PodName), .. snapshot.Nodes.Select(to => from == to
                ? new Text("") as IRenderable
                : Cell(snapshot.Pings[new NodePair(from.Name, to.Name)]))]);
        }

        return table;
    }

    private static Markup Cell(PingReport report) => new($"[{(report.Lost == 0 ? Good : Bad)}]{DemoFormat.Answered(report)}[/]");
}
