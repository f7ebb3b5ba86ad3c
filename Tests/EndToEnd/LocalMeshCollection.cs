using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Setup;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Tests that own the namespaces of the test prefix, and most of the machine: one after the other.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LocalMeshCollection
{
    /// <summary>Name of the collection.</summary>
    public const string Name = "local mesh";

    /// <summary>Skips the calling test, saying why, on a machine that cannot carry a mesh.</summary>
    public static void SkipUnlessPossible() => Assert.SkipWhen(ReasonToSkip is not null, ReasonToSkip ?? "");

    /// <summary>Why this machine cannot carry a mesh; <see langword="null"/> if it can.</summary>
    public static string? ReasonToSkip { get; } = FindReason();

    /// <summary>The silo executable: built with the tests, unless the environment names another one.</summary>
    public static string Binary { get; } =
        Environment.GetEnvironmentVariable("OWG_LOCAL_BINARY") is { Length: > 0 } chosen
            ? chosen
            : Path.Combine(AppContext.BaseDirectory, "owg");

    private static string? FindReason()
    {
        if (!OperatingSystem.IsLinux() || NativeMethods.EffectiveUserId() != 0)
        {
            return "Network namespaces need Linux and root.";
        }

        var missing = Prerequisites.FindMissing(Prerequisites.IsInstalled);
        if (missing.Count > 0)
        {
            return $"Missing Debian packages: {string.Join(' ', missing)}.";
        }

        return File.Exists("/dev/net/tun") ? null : "This machine has no /dev/net/tun.";
    }
}
