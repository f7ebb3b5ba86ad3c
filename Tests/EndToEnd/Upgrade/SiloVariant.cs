using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Upgrade;

/// <summary>A release of the silo, built from this tree with a constant that makes it another one.</summary>
/// <param name="Name">As it stands in a table.</param>
/// <param name="Version">What it says of itself.</param>
/// <param name="Constant">The constant, without its prefix; <see langword="null"/> for the silo as it is.</param>
internal sealed record SiloVariant(string Name, string Version, string? Constant)
{
    /// <summary>The variable that names the executable of the release before.</summary>
    public const string FormerVariable = "OWG_FORMER_BINARY";

    private static readonly Dictionary<SiloVariant, Task<string>> Builds = [];
    private static readonly Lock BuildsLock = new();

    /// <summary>This release.</summary>
    public static SiloVariant Present { get; } = new("present", "", null);

    /// <summary>The next one: an entry of the announcement, a call and a setting more.</summary>
    public static SiloVariant Next { get; } = new("next", "98.0.0", "NEXT");

    /// <summary>The one after that, which does not know what the present one speaks.</summary>
    public static SiloVariant AfterNext { get; } = new("after-next", "99.0.0", "AFTER_NEXT");

    /// <summary>One whose announcements every other one refuses.</summary>
    public static SiloVariant Broken { get; } = new("broken", "97.0.0", "BROKEN");

    /// <summary>The release before this one, which the environment names; <see langword="null"/> if it does not.</summary>
    public static SiloVariant? Former { get; } =
        Environment.GetEnvironmentVariable(FormerVariable) is { Length: > 0 } binary ? new("former", "", null) { Binary = binary } : null;

    /// <summary>Where its executable is, if nothing has to be built.</summary>
    private string? Binary { get; init; }

    /// <summary>By which name a harness installs it.</summary>
    public string Program => $"owg-{Name}";

    /// <summary>Its executable, built when it is asked for first; a build that changes nothing takes a few seconds.</summary>
    /// <exception cref="InvalidOperationException">It does not build; the message has what the compiler said.</exception>
    public Task<string> FindBinaryAsync()
    {
        lock (BuildsLock)
        {
            if (!Builds.TryGetValue(this, out var build))
            {
                Builds[this] = build = Constant is null ? Task.FromResult(Binary ?? LocalMeshCollection.Binary) : BuildAsync(Constant);
            }

            return build;
        }
    }

    private async Task<string> BuildAsync(string constant)
    {
        var root = RepositoryFiles.Find(".");
        var artifacts = Path.Combine(root, "artifacts", "upgrade", Name);
        var result = await Command.RunAsync(
            "dotnet",
            [
                "publish", Path.Combine(root, "Silo", "Orleans.WireGuard.Silo.csproj"), "--configuration", "Release", "--nologo",
                $"-p:UpgradeVariant={constant}", $"-p:ArtifactsPath={artifacts}", $"-p:MinVerVersionOverride={Version}",

                // The same sources have been looked at with the solution.
                "-p:RunAnalyzers=false", "--output", Path.Combine(artifacts, "publish"),
            ],
            CancellationToken.None);
        return result.ExitCode == 0
            ? Path.Combine(artifacts, "publish", "owg")
            : throw new InvalidOperationException($"The variant '{Name}' does not build:\n{result.Output}\n{result.Error}");
    }
}
