using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.LocalMesh.Setup;

/// <summary>Builds the silo from the sources that this program was built from.</summary>
internal static class SiloBuild
{
    private const string Solution = "Orleans.WireGuard.sln";

    /// <summary>The directory of the solution, or <see langword="null"/> if this program was moved away from it.</summary>
    public static string? FindSourceDirectory()
    {
        for (var directory = AppContext.BaseDirectory; directory is not null; directory = Path.GetDirectoryName(directory))
        {
            if (File.Exists(Path.Combine(directory, Solution)))
            {
                return directory;
            }
        }

        return null;
    }

    /// <summary>Publishes the silo as a release.</summary>
    /// <returns>Path of the executable.</returns>
    /// <exception cref="PrerequisiteException">The sources are not there, or they do not build.</exception>
    public static async Task<string> PublishAsync(TextWriter output, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var source = FindSourceDirectory()
            ?? throw new PrerequisiteException(
                $"Cannot find {Solution} above {AppContext.BaseDirectory}: expected to run from a clone of the project.");
        output.WriteLine("Building the silo (Release)");
        var target = Path.Combine(source, "artifacts", "publish", "owg");
        var exitCode = await Command.RunVisiblyAsync(
            "dotnet",
            [
                "publish", Path.Combine(source, "Silo", "Orleans.WireGuard.Silo.csproj"), "--configuration", "Release", "--output", target,
                "--nologo", "--verbosity", "minimal",
            ],
            timeProvider,
            cancellationToken);
        var binary = Path.Combine(target, "owg");
        return exitCode == 0 && File.Exists(binary)
            ? binary
            : throw new PrerequisiteException($"The silo did not build (exit code {exitCode}). The compiler's messages are above.");
    }
}
