using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Silo.Web;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Where configuration comes from: our defaults, then the operator's file, then variables that begin with <c>OWG_</c>.</summary>
internal static class SiloConfiguration
{
    /// <summary>Prefix of our environment variables; <c>OWG_Rotation__Period</c> sets <c>Rotation:Period</c>.</summary>
    public const string VariablePrefix = "OWG_";

    private static readonly HashSet<string> Sections = new(StringComparer.OrdinalIgnoreCase)
    {
        "Logging", NodeOptions.SectionName, NodesOptions.SectionName, ClusteringOptions.SectionName, DeviceOptions.SectionName,
        EncryptionOptions.SectionName, RoutingOptions.SectionName, WebOptions.SectionName,
        DashboardPageOptions.SectionName, RotationOptions.SectionName,
        DeliveryOptions.SectionName, KubernetesApiOptions.SectionName,
    };

    /// <summary>Adds the sources in that order; a later one wins.</summary>
    /// <param name="configuration">Where to add them.</param>
    /// <param name="file">
    /// The operator's file; <see langword="null"/> for none. It is read once, unless a <see cref="ConfigurationFollower"/> looks again.
    /// </param>
    /// <exception cref="IOException">There is no such file, or it cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read, or is a folder.</exception>
    /// <exception cref="InvalidDataException">It is not JSON.</exception>
    public static void AddSources(IConfigurationBuilder configuration, FileInfo? file)
    {
        configuration.AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: false, reloadOnChange: false);
        if (file is not null)
        {
            configuration.Add(new FollowedJsonFile(file));
        }

        configuration.AddEnvironmentVariables(VariablePrefix);
    }

    /// <summary>Sections that no part of the silo reads: a misspelt one would otherwise be a setting that silently does nothing.</summary>
    public static IReadOnlyList<string> FindUnknownSections(IConfiguration configuration) =>
        [.. configuration.GetChildren().Where(section => section.GetChildren().Any()).Select(section => section.Key)
            .Where(name => !Sections.Contains(name)).Order(StringComparer.Ordinal)];
}
