namespace Orleans.WireGuard.Silo.Security;

/// <summary>Which system targets a client may call.</summary>
internal sealed class ClientAccessOptions
{
    /// <summary>Names of interfaces. Default: the list of grains and their versions, which Orleans' own client reads.</summary>
    public HashSet<string> SystemTargets { get; } = ["IClusterManifestSystemTarget"];
}
