using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Cli;

/// <summary>Whatever is wrong, a verb ends with a sentence and an exit code, and never with a stack trace.</summary>
public sealed class VerbFaultTests : IDisposable
{
    private static readonly string[][] Verbs =
        [["run"], ["status"], ["doctor"], ["peers"], ["rotate"], ["rotate", "--all"], ["freeze"], ["unfreeze"], ["watch"], ["cleanup"]];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("owg-faults-");

    /// <summary>Verbs that have a configuration, by what may be wrong with it.</summary>
    public static TheoryData<string, string> Unreadable =>
        [.. from verb in Verbs from fault in (string[])[
            "missing", "folder", "text", "empty", "nowhere"] select (string.Join(' ', verb), fault)];

    /// <summary>Verbs that look at values. A cleanup goes on with defaults, and would clean this machine.</summary>
    public static TheoryData<string> Connecting =>
        [.. Verbs.Where(verb => verb[0] is not ("run" or "cleanup")).Select(verb => string.Join(' ', verb))];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Unreadable))]
    public async Task Verb_ConfigurationThatCannotBeRead_IsASentence(string verb, string fault) =>
        AssertSentence(ExitCode.Misconfigured, await RunAsync(verb, "--config", Spoil(fault)));

    [Theory]
    [InlineData("run")]
    [MemberData(nameof(Connecting))]
    public async Task Verb_ValueOfAnotherType_IsASentence(string verb) => AssertSentence(
        ExitCode.Misconfigured, await RunAsync(
            verb, "--config", Write("""{ "Clustering": { "GatewayPort": "many" }, "Node": { "Name": "node-1" } }""")), "GatewayPort");

    [Theory]
    [MemberData(nameof(Connecting))]
    public async Task Verb_GatewayThatIsNone_IsASentence(string verb) =>
        AssertSentence(ExitCode.Misconfigured, await RunAsync(verb, "--gateway", "here"), "'here'");

    [Theory]
    [MemberData(nameof(Connecting))]
    public async Task Verb_NobodyListens_IsASentence(string verb)
    {
        var result = await RunAsync(verb, "--gateway", FreeEndpoint().ToString());
        AssertSentence(ExitCode.Failed, result, "Nobody listens at 127.0.0.1:");
    }

    [Fact]
    public async Task Run_WrongOption_IsTheCommandLine() =>
        Assert.Equal(ExitCode.Misconfigured, (await RunAsync("status", "--colour", "blue")).Code);

    // What nobody has thought of.
    [Theory]
    [InlineData(typeof(NullReferenceException), ExitCode.Failed)]
    [InlineData(typeof(NotImplementedException), ExitCode.Failed)]
    [InlineData(typeof(IOException), ExitCode.Misconfigured)]
    [InlineData(typeof(UnauthorizedAccessException), ExitCode.Misconfigured)]
    public void Tell_AnyException_IsOneLineWithoutATrace(Type type, int expected)
    {
        using var console = new ConsoleCapture();
        Exception thrown;
        try
        {
            throw (Exception)Activator.CreateInstance(type, "first\nsecond")!;
        }
        catch (Exception e)
        {
            thrown = e;
        }

        AssertSentence(expected, (Fault.Tell(thrown), console.Error), "first second");
    }

    private static async Task<(int Code, string Error)> RunAsync(string verb, params string[] options)
    {
        using var console = new ConsoleCapture();
        var code = await OwgCommand.RunAsync([.. verb.Split(' '), .. options]);
        return (code, console.Error);
    }

    private static void AssertSentence(int expected, (int Code, string Error) result, string mentioned = "")
    {
        Assert.True(expected == result.Code, $"exit code {result.Code}: {result.Error}");
        var lines = result.Error.TrimEnd('\n').Split('\n');
        Assert.All(lines, line => Assert.StartsWith("owg: ", line, StringComparison.Ordinal));
        Assert.Contains(mentioned, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled", result.Error, StringComparison.Ordinal);
    }

    private static IPEndPoint FreeEndpoint()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    private string Spoil(string fault) => fault switch
    {
        "missing" => Path.Combine(_folder.FullName, "missing.json"),
        "nowhere" => "/dev/null/owg.json",
        "folder" => _folder.FullName,
        "text" => Write("Mode: Strict"),
        _ => Write(""),
    };

    private string Write(string text)
    {
        var path = Path.Combine(_folder.FullName, "owg.json");
        File.WriteAllText(path, text);
        return path;
    }
}
