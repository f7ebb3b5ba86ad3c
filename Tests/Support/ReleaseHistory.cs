using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>What a repository tells of its releases, which are its tags such as <c>v0.1.0</c>.</summary>
/// <param name="Last">The version of the release before this tree; null if there was none.</param>
/// <param name="Own">The version as which this very commit is tagged; null if it is not.</param>
/// <param name="Changed">The contracts that are others than in the last release; empty if there was none.</param>
/// <param name="Settings">The settings file of the last release; null if it had none.</param>
internal sealed record ReleaseHistory(string? Last, string? Own, IReadOnlyList<string> Changed, string? Settings)
{
    /// <summary>Where silos and clients of two versions meet.</summary>
    public static readonly IReadOnlyList<string> Contracts =
        ["Grains/OrleansContracts.txt", "Interfaces/OrleansContracts.txt", "Tests/TestData/wire"];

    /// <summary>The settings that are shipped.</summary>
    public const string SettingsFile = "deploy/base/settings/owg.json";

    // As MinVer has it.
    private const string Pattern = "v[0-9]*";

    /// <summary>Reads the history of a working tree, which may have changes that are not committed.</summary>
    /// <exception cref="InvalidOperationException">Git refuses.</exception>
    public static async Task<ReleaseHistory> ReadAsync(string folder, CancellationToken cancellationToken)
    {
        // A release is compared with the one before it, and not with itself.
        var tags = await GitAsync("tag", "--points-at", "HEAD", "--list", Pattern, "--sort=-version:refname");
        var own = tags is [var newest, ..] ? newest : null;
        var from = own is null ? "HEAD" : "HEAD^";
        var last = await FindAsync("rev-parse", "--verify", "--quiet", from) is null
            ? null
            : await FindAsync("describe", "--tags", "--abbrev=0", "--match", Pattern, from);
        IEnumerable<string> changed = last is null ? [] : (await GitAsync(["diff", "--name-only", last, "--", .. Contracts]))
            .Concat(await GitAsync(["ls-files", "--others", "--exclude-standard", "--", .. Contracts]));
        var settings = last is null ? null : await FindAsync("show", $"{last}:{SettingsFile}");
        return new(last?[1..], own?[1..], [.. changed.Order(StringComparer.Ordinal)], settings);

        Task<CommandResult> RunAsync(params string[] arguments) => Command.RunAsync(
            "git", ["-C", folder, .. arguments], cancellationToken);

        async Task<IReadOnlyList<string>> GitAsync(params string[] arguments)
        {
            var result = await RunAsync(arguments);
            return result.ExitCode == 0
                ? result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                : throw new InvalidOperationException($"git {string.Join(' ', arguments)}: {result.Error}");
        }

        async Task<string?> FindAsync(params string[] arguments) =>
            await RunAsync(arguments) is { ExitCode: 0 } result ? result.Output.TrimEnd('\n') : null;
    }
}
