using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The build stage of the Dockerfile, without Docker: its own commands, on what it copies and nothing else.</summary>
/// <remarks>The base images need a registry, so the stages that follow are not built here.</remarks>
[Trait("Kind", "EndToEnd")]
public sealed partial class DockerfileTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Length", "Long")]
    public async Task BuildStage_OnCopiedFilesOnly_MakesABinaryThatStarts()
    {
        var root = RepositoryFiles.Find(".");
        var lines = await File.ReadAllLinesAsync(Path.Combine(root, "deploy", "Dockerfile"), Token);
        var stage = lines.SkipWhile(line => !line.EndsWith(" AS build", StringComparison.Ordinal))
            .Skip(1).TakeWhile(line => !line.StartsWith("FROM ", StringComparison.Ordinal)).ToList();
        Assert.Contains(stage, line => line.StartsWith("RUN dotnet publish", StringComparison.Ordinal));

        // What the head of the file tells to give; nothing else of git is there.
        var arguments = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["VERSION"] = "1.2.3-rc.4",
            ["REVISION"] = "0123456789abcdef0123456789abcdef01234567",
        };
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal);
        var folder = Directory.CreateTempSubdirectory("owg-image-").FullName;
        try
        {
            var source = Directory.CreateDirectory(Path.Combine(folder, "source")).FullName;
            foreach (var line in stage)
            {
                if (line.StartsWith("COPY ", StringComparison.Ordinal))
                {
                    await ShellAsync($"mkdir -p '{source}/{Target(line)}' && cp -r {Sources(line)} '{source}/{Target(line)}'", root);
                }
                else if (line.StartsWith("ARG ", StringComparison.Ordinal))
                {
                    environment[line["ARG ".Length..]] = arguments[line["ARG ".Length..]];
                }
                else if (line.StartsWith("ENV ", StringComparison.Ordinal))
                {
                    foreach (var pair in line.Split(' ')[1..].Select(pair => pair.Split("=$")))
                    {
                        environment[pair[0]] = arguments[pair[1]];
                    }
                }
                else if (line.StartsWith("RUN ", StringComparison.Ordinal))
                {
                    var command = line["RUN ".Length..].Replace("--output /app", $"--output {folder}/app", StringComparison.Ordinal);
                    await ShellAsync(command, source, environment);
                }
            }

            var entry = Assert.Single(lines, line => line.StartsWith("ENTRYPOINT ", StringComparison.Ordinal));
            var binary = Path.Combine(folder, Program().Match(entry).Groups[1].Value);
            var result = await Command.RunAsync(binary, ["--help"], Token);
            Assert.True(result.ExitCode == 0, result.Output + result.Error);
            Assert.Contains("cleanup", result.Output, StringComparison.Ordinal);
            var version = await Command.RunAsync(binary, ["--version"], Token);
            Assert.Equal($"{arguments["VERSION"]}+{arguments["REVISION"]}", version.Output.Trim());

            // Whoever gives neither gets no other version's name: an argument without a value is an empty variable.
            var nothing = environment.ToDictionary(pair => pair.Key, string? (_) => "");
            var told = await Command.RunAsync(
                "dotnet",
                ["msbuild", Path.Combine(source, "Silo"), "-target:MinVer", "-getProperty:MinVerVersion", "-getProperty:SourceRevisionId"],
                Token, environment: nothing);
            Assert.True(told.ExitCode == 0, told.Output + told.Error);
            var properties = JsonNode.Parse(told.Output)!["Properties"]!;
            Assert.EndsWith(".0-alpha.0", (string?)properties["MinVerVersion"], StringComparison.Ordinal);
            Assert.Equal("unknown", (string?)properties["SourceRevisionId"]);
            AssertNothingForeign(Path.Combine(folder, "app"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("title")]
    [InlineData("description")]
    [InlineData("licenses")]
    [InlineData("version")]
    [InlineData("revision")]
    public async Task RuntimeStage_Labels_SayWhatTheImageIs(string label)
    {
        var text = await File.ReadAllTextAsync(RepositoryFiles.Find(Path.Combine("deploy", "Dockerfile")), Token);
        Assert.Matches($@"(?m)^(LABEL|     ) org\.opencontainers\.image\.{label}="".+""", text);
    }

    /// <summary>What nothing in the silo loads is of use to an attacker only: other platforms' libraries, and the compiler.</summary>
    private static void AssertNothingForeign(string app)
    {
        var files = Directory.EnumerateFiles(app, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(app, file)).ToList();
        var architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        Assert.Equal(
            [$"runtimes/linux-{architecture}/native/libsodium.so"],
            files.Where(file => file.StartsWith("runtimes/", StringComparison.Ordinal)));
        Assert.DoesNotContain(files, file => Compiler().IsMatch(file) || Path.GetExtension(file) == ".xml");
    }

    // COPY a b target: a folder is copied by its content.
    private static string Target(string copy) => copy.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^1];

    private static string Sources(string copy) => string.Join(
        ' ', copy.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..^1].Select(item => item.Contains('.') ? item : item + "/."));

    private static async Task ShellAsync(string command, string directory, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var result = await Command.RunAsync("sh", ["-c", $"cd '{directory}' && {command}"], Token, environment: environment);
        Assert.True(result.ExitCode == 0, $"{command}\n{result.Output}\n{result.Error}");
    }

    [GeneratedRegex(@"^(Microsoft\.CodeAnalysis|Humanizer|System\.Composition)")]
    private static partial Regex Compiler();

    [GeneratedRegex("\\[\"/(.*)\"\\]")]
    private static partial Regex Program();
}
