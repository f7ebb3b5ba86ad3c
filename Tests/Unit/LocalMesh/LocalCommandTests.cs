using System.CommandLine;
using System.Text.RegularExpressions;
using Orleans.WireGuard.LocalMesh.Demo;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>The command line of a local mesh. Nothing here runs a verb.</summary>
public sealed partial class LocalCommandTests
{
    private static readonly Command Root = LocalCommand.Create(TimeProvider.System, TextWriter.Null);

    [Theory]
    [InlineData("Makefile")]
    [InlineData("deploy/local/prerequisites")]
    public void Verbs_ThatAFileCalls_AreThere(string file)
    {
        var text = File.ReadAllText(RepositoryFiles.Find(file));
        var called = VerbAfterProgram().Matches(text).Select(match => match.Groups[1].Value).ToList();

        Assert.NotEmpty(called);
        Assert.All(called, verb => Assert.Empty(Root.Parse(verb).Errors));
    }

    [Theory]
    [InlineData("node list")]
    [InlineData("node add node-4")]
    [InlineData("node delete node-2")]
    [InlineData("up")]
    public void Verbs_OfTheReadme_AreThere(string line) => Assert.Empty(Root.Parse(line).Errors);

    [Theory]
    [InlineData("")]
    [InlineData("demos")]
    [InlineData("check twice")]
    [InlineData("node")]
    [InlineData("node add")]
    [InlineData("node list node-4")]
    public async Task Run_WrongCommandLine_IsToldWithTheHelp(string line)
    {
        using var console = new ConsoleCapture();

        Assert.Equal(2, await RunAsync(line));
        Assert.NotEmpty(console.Error);
        Assert.Contains("Usage:", console.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_OfEachVerb_SaysWhatItDoes()
    {
        foreach (var verb in Root.Subcommands)
        {
            using var console = new ConsoleCapture();

            Assert.Equal(0, await RunAsync($"{verb.Name} --help"));
            Assert.False(string.IsNullOrEmpty(verb.Description), verb.Name);
            Assert.Contains(verb.Description, console.Output, StringComparison.Ordinal);
        }
    }

    private static Task<int> RunAsync(string line)
    {
        var arguments = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return LocalCommand.RunAsync(arguments, TimeProvider.System, TextWriter.Null, TestContext.Current.CancellationToken);
    }

    [GeneratedRegex(@"(?:\$\(LOCAL_MESH\)|owg-local\.dll"") ([a-z-]+)$", RegexOptions.Multiline)]
    private static partial Regex VerbAfterProgram();
}
