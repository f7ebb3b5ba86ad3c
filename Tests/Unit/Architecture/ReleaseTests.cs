using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Architecture;

/// <summary>
/// What a release has to say is said: a contract that changed has an entry of the changelog, and settings say which version brought them.
/// Each rule is shown to fail on something that breaks it, and what git tells on a repository that is made for that.
/// </summary>
public sealed class ReleaseTests
{
    private const string Complete = "### Upgrade\nOpen a port.\n\n### Roll back\nNothing.\n\n### Wire\nNothing.\n";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Repository_SinceTheLastRelease_HasNoFault()
    {
        var sections = ReleaseNotes.Parse(await File.ReadAllTextAsync(RepositoryFiles.Find("CHANGELOG.md"), Token));
        Assert.NotEmpty(sections);
        Assert.Empty(ReleaseNotes.FindFaults(sections, last: null, own: null, changed: []));
        Assert.SkipUnless(RepositoryFiles.Contains(".git"), "These sources have no history, so nobody knows what the last release was.");
        Assert.Empty(await FindFaultsAsync(RepositoryFiles.Find("")));
    }

    [Fact]
    public void Contracts_AreWhereTheHistoryLooks()
    {
        Assert.All(ReleaseHistory.Contracts, path => Assert.True(RepositoryFiles.Contains(path), path));
        Assert.True(RepositoryFiles.Contains(ReleaseHistory.SettingsFile));
        Assert.Equal(
            ReleaseHistory.Contracts.Where(path => path.EndsWith("OrleansContracts.txt", StringComparison.Ordinal)),
            RepositoryFiles.ReadTexts().Select(file => file.Path).Where(path => Path.GetFileName(path) == "OrleansContracts.txt")
                .Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("### Upgrade", "Unreleased says nothing below '### Upgrade'")]
    [InlineData("### Roll back", "Unreleased says nothing below '### Roll back'")]
    [InlineData("### Wire", "Unreleased says nothing below '### Wire'")]
    public void FindFaults_HeadingIsMissingOrEmpty_IsFound(string? removed, params string[] expected)
    {
        var without = removed is null ? Complete : Complete.Replace(removed, "### Other", StringComparison.Ordinal);
        var empty = removed is null ? Complete : Complete.Replace($"{removed}\n", $"{removed}\n### Other\n", StringComparison.Ordinal);
        foreach (var text in (string[])[without, empty])
        {
            var sections = ReleaseNotes.Parse($"# Changelog\n\n## Unreleased\n\n- A thing.\n\n{text}");
            var faults = ReleaseNotes.FindFaults(sections, null, null, []).ToList();
            Assert.Equal(expected.Length, faults.Count);
            Assert.All(faults.Zip(expected), pair => Assert.StartsWith(pair.Second, pair.First, StringComparison.Ordinal));
        }
    }

    // What stands there of the last release was said of that one.
    [Theory]
    [InlineData("Nothing.", "A record has another number.", true, "Contracts are others than in 0.1.0")]
    [InlineData("Another number.", "Nothing.", true)]
    [InlineData("Nothing.", "Nothing.", false)]
    public void FindFaults_ContractsChanged_NeedAWireEntrySinceTheLastRelease(
        string wire, string formerWire, bool isChanged, params string[] expected)
    {
        var sections = ReleaseNotes.Parse(
            $"## Unreleased\n{Complete.Replace("Wire\nNothing.", $"Wire\n{wire}", StringComparison.Ordinal)}"
            + $"## [0.1.0] (2026-11-29)\n{Complete.Replace("Wire\nNothing.", $"Wire\n{formerWire}", StringComparison.Ordinal)}");
        var faults = ReleaseNotes.FindFaults(sections, "0.1.0", null, isChanged ? ["Tests/TestData/wire/Epoch.txt"] : []).ToList();
        Assert.Equal(expected.Length, faults.Count);
        Assert.All(faults.Zip(expected), pair => Assert.StartsWith(pair.Second, pair.First, StringComparison.Ordinal));
        Assert.All(faults, fault => Assert.Contains("Epoch.txt", fault, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("0.1.0", "0.2.0", "This is 0.2.0, and the first section of the changelog is of Unreleased.")]
    [InlineData("0.0.9", null, "The changelog has no section for 0.0.9, the last release.")]
    [InlineData("0.1.0", null)]
    public void FindFaults_SectionOfARelease_HasToBeThere(string last, string? own, params string[] expected) => Assert.Equal(
        expected, ReleaseNotes.FindFaults(ReleaseNotes.Parse($"## Unreleased\n{Complete}## 0.1.0\n{Complete}"), last, own, []));

    [Theory]
    [InlineData("""{ "Part": { "Old": 1 } }""", """{ "Part": { "Old": 1, "New": 1 } }""")]
    [InlineData("""{ "Part": { "Old": 1, "Gone": 1 } }""", """{ "Part": { "Old": 1 } }""", "Part:Gone was a setting of 0.1.0")]
    [InlineData("""{ "Gone": {} }""", "{}", "Gone was a setting of 0.1.0")]
    [InlineData("""{ "Part": {} }""", """{ "Part": { "Old": 1 } }""", "Part:Old says that 0.1.0 brought it, and 0.1.0 did not have it.")]
    public void FindFaults_SettingsGoneOrTooOld_AreFound(string before, string now, params string[] expected)
    {
        var catalogue = new SettingCatalogue(new Dictionary<string, Type?> { ["Part"] = typeof(PartLike) });
        var faults = SettingHistory.FindFaults(before, now, catalogue, new ReleaseVersion(0, 1)).ToList();
        Assert.Equal(expected.Length, faults.Count);
        Assert.All(faults.Zip(expected), pair => Assert.StartsWith(pair.Second, pair.First, StringComparison.Ordinal));
    }

    // The way of a repository through two releases, whether somebody looks before or after the tag is set.
    [Fact]
    public async Task FindFaultsAsync_ARepositoryWithReleases_ComparesWithTheLastOne()
    {
        using var repository = new ScratchRepository();
        await repository.GitAsync("init", "--quiet");
        repository.Write(ReleaseHistory.Contracts[0], "one\n");
        repository.Write(ReleaseHistory.Contracts[2] + "/Epoch.txt", "00\n");
        repository.Write(ReleaseHistory.SettingsFile, Settings());
        repository.Write("CHANGELOG.md", $"## Unreleased\n{Complete}");
        await repository.CommitAsync("first");
        var history = await ReadAsync();
        Assert.Equal((null, null, null), (history.Last, history.Own, history.Settings));
        Assert.Empty(history.Changed);
        Assert.Empty(await FindFaultsAsync(repository.Root));

        // The first release is compared with nothing.
        repository.Write("CHANGELOG.md", $"## 0.1.0\n{Complete}");
        await repository.CommitAsync("release");
        await repository.GitAsync("tag", "v0.1.0");
        Assert.Equal((null, "0.1.0"), ((await ReadAsync()).Last, (await ReadAsync()).Own));
        Assert.Empty(await FindFaultsAsync(repository.Root));

        // On the way to the second one.
        repository.Write("CHANGELOG.md", $"## Unreleased\n{Complete}## 0.1.0\n{Complete}");
        await repository.CommitAsync("on the way");
        Assert.Empty(await FindFaultsAsync(repository.Root));
        repository.Write(ReleaseHistory.Contracts[0], "two\n");
        repository.Write(ReleaseHistory.Contracts[2] + "/Slot.txt", "01\n");
        Assert.Equal([ReleaseHistory.Contracts[0], ReleaseHistory.Contracts[2] + "/Slot.txt"], (await ReadAsync()).Changed);
        await repository.CommitAsync("contracts");
        Assert.Contains("Slot.txt", Assert.Single(await FindFaultsAsync(repository.Root)), StringComparison.Ordinal);

        // A tag on it changes nothing of that.
        repository.Write("CHANGELOG.md", $"## 0.2.0\n{Complete}## 0.1.0\n{Complete}");
        await repository.CommitAsync("release");
        await repository.GitAsync("tag", "v0.2.0");
        Assert.Equal(("0.1.0", "0.2.0"), ((await ReadAsync()).Last, (await ReadAsync()).Own));
        Assert.Contains("'### Wire' does not say", Assert.Single(await FindFaultsAsync(repository.Root)), StringComparison.Ordinal);
        repository.Write(
            "CHANGELOG.md",
            $"## 0.2.0\n{Complete.Replace("Wire\nNothing.", "Wire\nA slot has a number.", StringComparison.Ordinal)}## 0.1.0\n{Complete}");
        Assert.Empty(await FindFaultsAsync(repository.Root));

        // Other tags are no releases.
        await repository.CommitAsync("entry");
        await repository.GitAsync("tag", "--delete", "v0.2.0");
        await repository.GitAsync("tag", "very-good");
        Assert.Equal(("0.1.0", null), ((await ReadAsync()).Last, (await ReadAsync()).Own));

        Task<ReleaseHistory> ReadAsync() => ReleaseHistory.ReadAsync(repository.Root, Token);

        static string Settings() => File.ReadAllText(RepositoryFiles.Find(ReleaseHistory.SettingsFile));
    }

    private static async Task<IReadOnlyList<string>> FindFaultsAsync(string folder)
    {
        var history = await ReleaseHistory.ReadAsync(folder, Token);
        var sections = ReleaseNotes.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "CHANGELOG.md"), Token));
        var now = await File.ReadAllTextAsync(Path.Combine(folder, ReleaseHistory.SettingsFile), Token);
        var settings = history.Settings is { } before && ReleaseVersion.TryParseBuild(history.Last) is { } last
            ? SettingHistory.FindFaults(before, now, SiloConfiguration.Catalogue, last)
            : [];
        return [.. ReleaseNotes.FindFaults(sections, history.Last, history.Own, history.Changed), .. settings];
    }

    private sealed class PartLike
    {
        [Since("0.1")]
        public int Old { get; set; }

        [Since("0.2")]
        public int New { get; set; }
    }

    private sealed class ScratchRepository : IDisposable
    {
        // Nothing of the person's own git counts here.
        private static readonly Dictionary<string, string?> Environment = new()
        {
            ["GIT_CONFIG_GLOBAL"] = "/dev/null",
            ["GIT_CONFIG_NOSYSTEM"] = "1",
            ["GIT_AUTHOR_NAME"] = "Somebody",
            ["GIT_AUTHOR_EMAIL"] = "somebody@example.com",
            ["GIT_COMMITTER_NAME"] = "Somebody",
            ["GIT_COMMITTER_EMAIL"] = "somebody@example.com",
        };

        public string Root { get; } = Directory.CreateTempSubdirectory("owg-release-").FullName;

        public void Write(string path, string content)
        {
            var file = Path.Combine(Root, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, content);
        }

        public async Task CommitAsync(string message)
        {
            await GitAsync("add", "--all");
            await GitAsync("commit", "--quiet", "--message", message);
        }

        public async Task GitAsync(params string[] arguments) =>
            (await Command.RunAsync("git", ["-C", Root, .. arguments], Token, environment: Environment)).EnsureSuccess();

        public void Dispose() => Directory.Delete(Root, recursive: true);
    }
}
