using System.Text;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Golden files in <c>Tests/TestData</c>, and the other files of the project that tests read.</summary>
/// <remarks>
/// A golden file is what others rely on, so nothing writes it by accident: run the tests once with the variable
/// <c>OWG_UPDATE_TESTDATA=1</c> to write all of them, and read the difference before it is committed.
/// </remarks>
internal static class TestData
{
    /// <summary>The variable that has golden files written instead of compared.</summary>
    public const string UpdateVariable = "OWG_UPDATE_TESTDATA";

    private const string RootMarker = "Orleans.WireGuard.sln";

    /// <summary>The folder that holds the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Reads a file of the test data.</summary>
    public static string Read(string path) => File.ReadAllText(PathOf(path));

    /// <summary>Compares with a golden file, or writes it if the tests were told to.</summary>
    /// <exception cref="Xunit.Sdk.EqualException">It differs.</exception>
    public static void AssertGolden(string path, string actual)
    {
        var file = PathOf(path);
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, actual);
        }

        Assert.True(
            File.Exists(file), $"Tests/TestData/{path} is missing; run the tests once with {UpdateVariable}=1 and commit what they write.");
        Assert.Equal(File.ReadAllText(file), actual);
    }

    /// <summary>Compares with what stands between two marks in a document, or writes it there if the tests were told to.</summary>
    /// <param name="path">The document, from the folder that holds the solution.</param>
    /// <param name="begin">The mark before it.</param>
    /// <param name="end">The mark behind it.</param>
    /// <param name="actual">What has to be there.</param>
    /// <exception cref="Xunit.Sdk.EqualException">It differs.</exception>
    public static void AssertSection(string path, string begin, string end, string actual)
    {
        var file = Path.Combine(Root, path);
        var text = File.ReadAllText(file);
        var (from, to) = (text.IndexOf(begin, StringComparison.Ordinal) + begin.Length, text.IndexOf(end, StringComparison.Ordinal));
        Assert.True(from > begin.Length && to >= from, $"{path} has no section between '{begin.Trim()}' and '{end}'.");
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            File.WriteAllText(file, text[..from] + actual + text[to..]);
            return;
        }

        Assert.Equal(text[from..to], actual);
    }

    /// <summary>Bytes as lines of 32, in hexadecimal.</summary>
    public static string ToHexLines(ReadOnlySpan<byte> bytes)
    {
        const int BytesPerLine = 32;
        var text = new StringBuilder();
        for (; bytes.Length > 0; bytes = bytes[Math.Min(BytesPerLine, bytes.Length)..])
        {
            text.Append(Convert.ToHexStringLower(bytes[..Math.Min(BytesPerLine, bytes.Length)])).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Reads what <see cref="ToHexLines"/> wrote.</summary>
    public static byte[] FromHexLines(string text) => Convert.FromHexString(text.ReplaceLineEndings(""));

    private static string PathOf(string path) => Path.Combine(Root, "Tests", "TestData", path);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, RootMarker)))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} holds {RootMarker}.");
    }
}
