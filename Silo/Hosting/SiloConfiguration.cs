using System.Collections;
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

    /// <summary>Every setting that this version knows.</summary>
    public static SettingCatalogue Catalogue { get; } = new(new Dictionary<string, Type?>
    {
        // The framework's, which has a key for each category of log.
        ["Logging"] = null,
        [NodeOptions.SectionName] = typeof(NodeOptions),
        [NodesOptions.SectionName] = typeof(NodesOptions),
        [ClusteringOptions.SectionName] = typeof(ClusteringOptions),
        [DeviceOptions.SectionName] = typeof(DeviceOptions),
        [EncryptionOptions.SectionName] = typeof(EncryptionOptions),
        [RoutingOptions.SectionName] = typeof(RoutingOptions),
        [WebOptions.SectionName] = typeof(WebOptions),
        [DashboardPageOptions.SectionName] = typeof(DashboardPageOptions),
        [RotationOptions.SectionName] = typeof(RotationOptions),
        [DeliveryOptions.SectionName] = typeof(DeliveryOptions),
        [KubernetesApiOptions.SectionName] = typeof(KubernetesApiOptions),
    });

    /// <summary>The release that this program is of, or leads to.</summary>
    public static ReleaseVersion OwnVersion { get; } = ReleaseVersion.OfAssembly(typeof(SiloConfiguration).Assembly);

    /// <summary>Adds the sources in that order; a later one wins.</summary>
    /// <param name="configuration">Where to add them.</param>
    /// <param name="file">
    /// The operator's file; <see langword="null"/> for none. It is read once, unless a <see cref="ConfigurationFollower"/> looks again.
    /// </param>
    /// <param name="isSilo">
    /// Whether a silo runs by it. Then keys that are not known are refused or ignored as <see cref="SettingRules"/> says. A verb takes what
    /// it knows: it only looks, and what it looks at may be a silo that is newer.
    /// </param>
    /// <exception cref="IOException">There is no such file, or it cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read, or is a folder.</exception>
    /// <exception cref="InvalidDataException">It is not JSON, or has keys that are refused.</exception>
    public static void AddSources(IConfigurationBuilder configuration, FileInfo? file, bool isSilo)
    {
        configuration.AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: false, reloadOnChange: false);
        if (file is not null)
        {
            configuration.Add(new FollowedJsonFile(
                file, isSilo ? settings => SettingRules.Judge(settings, Catalogue, OwnVersion) : null));
        }

        configuration.AddEnvironmentVariables(VariablePrefix);
    }

    /// <summary>The variables that begin with <see cref="VariablePrefix"/>, by name without it.</summary>
    public static IReadOnlyDictionary<string, string?> ReadVariables() => Environment.GetEnvironmentVariables()
        .Cast<DictionaryEntry>()
        .Where(variable => ((string)variable.Key).StartsWith(VariablePrefix, StringComparison.OrdinalIgnoreCase))
        .ToDictionary(variable => ((string)variable.Key)[VariablePrefix.Length..], variable => (string?)variable.Value);

    /// <summary>
    /// Sections that no part of the silo reads: a misspelt one would otherwise be a setting that silently does nothing. Those of the file
    /// are judged when it is read; a variable has no version, so there is no newer one to which it could belong.
    /// </summary>
    public static IReadOnlyList<string> FindUnknownSections(IConfiguration configuration) =>
        [.. configuration.GetChildren().Where(section => section.GetChildren().Any()).Select(section => section.Key)
            .Where(name => !Catalogue.HasSection(name)).Order(StringComparer.Ordinal)];
}
