using Orleans.WireGuard.Supervision;
using Spectre.Console;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>
/// Where the verbs print; nothing else in this folder writes to a console. Names, reasons and messages come from other machines, so
/// everything is made harmless here and nowhere else (<see cref="Printable"/>).
/// </summary>
/// <param name="writer">Where it goes.</param>
internal sealed class Terminal(TextWriter writer)
{
    // To a pipe a table is as wide as it needs to be, so that no cell is broken.
    private const int PipeWidth = 1_000;

    /// <summary>Standard output.</summary>
    public static Terminal Out => new(Console.Out);

    /// <summary>Standard error.</summary>
    public static Terminal Error => new(Console.Error);

    /// <summary>Prints a line.</summary>
    public void Line(string text) => writer.WriteLine(Printable.Line(text));

    /// <summary>Prints JSON, on as many lines as it has.</summary>
    public void Json(string json) => writer.WriteLine(Printable.Json(json));

    /// <summary>Prints a table.</summary>
    /// <param name="columns">Its head.</param>
    /// <param name="rows">Its cells.</param>
    public void Table(IEnumerable<string> columns, IEnumerable<IEnumerable<string>> rows)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns([.. columns]);
        foreach (var row in rows)
        {
            table.AddRow(row.Select(cell => new Text(Printable.Line(cell))));
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (writer != Console.Out || Console.IsOutputRedirected)
        {
            console.Profile.Width = PipeWidth;
        }

        console.Write(table);
    }
}
