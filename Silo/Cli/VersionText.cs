using System.Globalization;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>Which versions of the silo are in a mesh, for people. Pure.</summary>
internal static class VersionText
{
    private const int MaxNamed = 3;

    /// <summary>One line if all silos that answered are of one version; otherwise one for each version, and what they speak.</summary>
    public static IEnumerable<string> Lines(MeshSnapshot snapshot)
    {
        var answers = snapshot.Nodes.Select(node => node.Status).OfType<NodeStatus>().ToList();
        var versions = answers.GroupBy(status => status.Version ?? "unknown, it does not say", StringComparer.Ordinal)
            .OrderByDescending(version => version.Count()).ThenBy(version => version.Key, StringComparer.Ordinal).ToList();
        if (versions is [var only])
        {
            yield return $"All silos that answered are version {only.Key}.";
        }
        else if (versions.Count > 1)
        {
            var effective = answers.Min(status => status.EffectiveProtocol ?? ProtocolRange.Silent.Max);
            yield return string.Create(
                CultureInfo.InvariantCulture, $"VERSIONS DIFFER, and speak protocol {effective} with each other:");
            foreach (var version in versions)
            {
                yield return $"  {version.Key} (protocol {version.First().Protocol ?? ProtocolRange.Silent}) on {Names([.. version])}";
            }
        }
    }

    private static string Names(List<NodeStatus> silos) => string.Join(", ", silos.Take(MaxNamed).Select(silo => silo.NodeName))
        + (silos.Count > MaxNamed ? string.Create(CultureInfo.InvariantCulture, $" and {silos.Count - MaxNamed} more") : "");
}
