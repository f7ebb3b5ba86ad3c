using System.Globalization;
using System.Text;
using System.Text.Json;
using CsCheck;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Supervision;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Supervision;

/// <summary>Whatever comes from elsewhere, nothing that a terminal obeys or a reader cannot see leaves by print, log or JSON.</summary>
public sealed class PrintableTests
{
    private const string Evil = "\u001b]0;owned\u0007\u001b[2J\u009b31mnode\u202E1-edon\r\nowg: all is well\u2028\u200b\ud800x";

    // Any code unit, half of them such as hurt.
    private static readonly Gen<string> AnyText = Gen.OneOf(
        Gen.String,
        Gen.Frequency((1, Gen.Char), (2, Gen.Char["\u0000\u001b\u007f\u009b\r\n\t\u202e\u2028\u2066\u200b\ufeff\ue000\ud83d\ude00\ud800abc'\"\\<"])).Array[0, 40].Select(chars => new string(chars)));

    [Theory]
    [InlineData("", "")]
    [InlineData("node-1 ~!", "node-1 ~!")]
    [InlineData("Knoten ä, 節点, 😀", "Knoten ä, 節点, 😀")]
    [InlineData("\u001b[2J", "\\u001b[2J")]
    [InlineData("a\r\nb\tc", "a\\u000d\\u000ab\\u0009c")]
    [InlineData("\u202Eb\u2069", "\\u202eb\\u2069")]
    public void Line_Golden_ShowsWhatItIs(string text, string expected) => Assert.Equal(expected, Printable.Line(text));

    // Not by an attribute, which cannot hold what is no text.
    [Fact]
    public void Line_HalfACharacter_ShowsWhatItIs() => Assert.Equal("a\\ud800x", Printable.Line("a\ud800x"));

    [Fact]
    public void Line_TooLong_IsCutAndSaysSo() => Assert.Equal("aaaaa… (95 more characters)", Printable.Line(new string('a', 100), 5));

    [Fact]
    public void Line_AnyText_IsHarmlessAndBounded() => AnyText.Sample(text =>
    {
        var line = Printable.Line(text, 20);
        Assert.Empty(Harmful(line, ""));
        Assert.InRange(line.Length, 0, (6 * 20) + 40);
    });

    [Fact]
    public void Terminal_AnyStatus_IsHarmless() => AnyText.Sample(text =>
    {
        var printed = Print(terminal => StatusCommand.Print(Snapshot(text), terminal));
        Assert.Empty(Harmful(printed, "\n"));
    });

    [Fact]
    public void Terminal_EvilName_PrintsNoLineOfItsOwn()
    {
        var lines = Print(terminal => StatusCommand.Print(Snapshot(Evil), terminal)).Split('\n');
        Assert.DoesNotContain(lines, line => line.StartsWith("owg", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("\\u001b[2J\\u009b31mnode\\u202e1-edon", StringComparison.Ordinal));
    }

    // Scripts read what went in.
    [Fact]
    public void Json_AnyText_IsHarmlessAndReadsBackAsItWas() => AnyText.Where(text => IsWellFormed(text)).Sample(text =>
    {
        var json = Print(terminal => terminal.Json(JsonSerializer.Serialize(Snapshot(text), MeshJson.Options)));
        Assert.Empty(Harmful(json, "\n"));
        Assert.Equal(text, JsonSerializer.Deserialize<MeshSnapshot>(json, MeshJson.Options)!.Nodes[0].NodeName);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Log_AnyText_IsOneHarmlessLine(bool isJson)
    {
        var formatter = Formatter(isJson);
        AnyText.Sample(text =>
        {
            var line = Write(formatter, "Refused an announcement of " + text, new InvalidOperationException(text));
            Assert.EndsWith("\n", line, StringComparison.Ordinal);
            Assert.Empty(Harmful(line[..^1], ""));
        });
    }

    // The form that the framework's single line has, which people and scripts know.
    [Fact]
    public void Log_Golden_IsTheFrameworksLine() => Assert.Equal(
        "2026-01-01T00:00:00.000Z warn: Category[7] two lines System.TimeoutException: late\n",
        Write(Formatter(isJson: false), "two\nlines", new TimeoutException("late")));

    [Fact]
    public void Log_ManyMegabytes_IsCut() =>
        Assert.InRange(Write(Formatter(isJson: false), new string('a', 1 << 22), null).Length, 1, 5_000);

    // One place prints; whatever else did would forget it one day.
    [Fact]
    public void Sources_OnlyOnePlaceWritesToTheConsole()
    {
        var writers = Directory.EnumerateFiles(Path.Combine(TestData.Root, "Silo"), "*.cs", SearchOption.AllDirectories)
            .Where(file => File.ReadLines(file).Any(line => line.Contains("Console.Out", StringComparison.Ordinal)
                || line.Contains("Console.Error", StringComparison.Ordinal) || line.Contains("Console.Write", StringComparison.Ordinal)
                || line.Contains("AnsiConsole", StringComparison.Ordinal)))
            .Select(Path.GetFileName);

        // The watch only says why it does not use it.
        Assert.Equal(["Terminal.cs", "WatchCommand.cs"], writers.Order(StringComparer.Ordinal));
        Assert.DoesNotContain(
            "Console.Out.Write", File.ReadAllText(Path.Combine(TestData.Root, "Silo", "Cli", "WatchCommand.cs")), StringComparison.Ordinal);
    }

    private static MeshSnapshot Snapshot(string text)
    {
        var lagging = new LaggingNode(text, LaggingReason.PacketsArrive, Slot.One);
        EquatableArray<NodeProblem> problems = [.. Enum.GetValues<NodeProblemCode>()
            .Select(code => NodeProblem.Of(code, text, text, text, text, text))];
        var status = TestMesh.Status(1) with
        {
            NodeName = text,
            Refusals = [new RefusalCount(AnnouncementOutcome.Malformed, 1, text, text, TestMesh.Start)],
            Drifts = [new DriftCount(DriftKind.EndpointChanged, 1, text, TestMesh.Start)],
            Problems = problems,
            DroppedPackets = 1,
            Rotation = new()
            {
                Problem = new RotationProblem(RotationProblemCode.Kept, lagging, 2, 3, TimeSpan.FromHours(1), 0.25),
                Lagging = [lagging],
                ClockSkews = [new ClockSkew(text, TimeSpan.FromMinutes(5), TestMesh.Start)]
            },
        };
        return new(
            TestMesh.Start,
            [new MeshNode(text, status, problems) { Notes = problems }],
            [new KeyAgreement(text, text, Slot.Zero, AgreementState.Missing, null, null, null)]);
    }

    private static string Print(Action<Terminal> print)
    {
        using var writer = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        print(new Terminal(writer));
        return writer.ToString();
    }

    private static ConsoleFormatter Formatter(bool isJson)
    {
        var services = new ServiceCollection().AddSingleton<TimeProvider>(new FakeTimeProvider(TestMesh.Start));
        services.AddLogging(logging => LineConsoleFormatter.AddTo(logging, isJson));
        return services.BuildServiceProvider().GetServices<ConsoleFormatter>()
            .Single(formatter => formatter.Name == (isJson ? ConsoleFormatterNames.Json : LineConsoleFormatter.FormatterName));
    }

    private static string Write(ConsoleFormatter formatter, string message, Exception? exception)
    {
        using var writer = new StringWriter(CultureInfo.InvariantCulture);
        formatter.Write(
            new LogEntry<string>(LogLevel.Warning, "Category", new EventId(7), message, exception, (state, _) => state), null, writer);
        return writer.ToString();
    }

    private static bool IsWellFormed(string text) =>
        text.EnumerateRunes().All(rune => rune != Rune.ReplacementChar || text.Contains('\ufffd'))
        && !text.Any(c => char.IsSurrogate(c));

    // Judged by itself: what the code under test calls harmless is not asked.
    private static IEnumerable<string> Harmful(string text, string allowed)
    {
        for (var i = 0; i < text.Length; i += char.IsSurrogatePair(text, i) ? 2 : 1)
        {
            var category = CharUnicodeInfo.GetUnicodeCategory(text, i);
            var isHarmful = category is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
            if (isHarmful && !allowed.Contains(text[i]))
            {
                yield return $"U+{(int)text[i]:X4} at {i}";
            }
        }
    }
}
