using System.Globalization;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>Which versions of the silo are in a mesh, for people. Pure.</summary>
internal static class VersionText
{
    private const int MaxNamed = 3;
    private const int MaxVersions = 10;

    /// <summary>One line if all silos that answered are of one version; otherwise one for each version, and what they speak.</summary>
    public static IEnumerable<string> Lines(MeshSnapshot snapshot)
    {
        var answers = snapshot.Nodes.Select(node => node.Status).OfType<NodeStatus>().ToList();
        var versions = answers
            .GroupBy(status => (Version: status.Version ?? "unknown, it does not say", Range: status.Protocol ?? ProtocolRange.Silent))
            .OrderByDescending(version => version.Count()).ThenBy(version => version.Key.Version, StringComparer.Ordinal).ToList();
        if (versions is [var only])
        {
            yield return $"All silos that answered are version {only.Key.Version}.";
        }
        else if (versions.Count > 1)
        {
            // Each says for itself, and for a moment not all the same. What most say is what one of them cannot falsify.
            var effective = answers.GroupBy(status => status.EffectiveProtocol ?? ProtocolRange.Silent.Max)
                .OrderByDescending(same => same.Count()).ThenBy(same => same.Key).First().Key;
            yield return string.Create(
                CultureInfo.InvariantCulture, $"VERSIONS DIFFER, and speak protocol {effective} with each other:");
            foreach (var version in versions.Take(MaxVersions))
            {
                yield return $"  {version.Key.Version} (protocol {version.Key.Range}) on {Names([.. version])}";
            }

            if (versions.Count > MaxVersions)
            {
                yield return string.Create(CultureInfo.InvariantCulture, $"  and {versions.Count - MaxVersions} more versions");
            }
        }
    }

    private static string Names(List<NodeStatus> silos) => string.Join(", ", silos.Take(MaxNamed).Select(silo => silo.NodeName))
        + (silos.Count > MaxNamed ? string.Create(CultureInfo.InvariantCulture, $" and {silos.Count - MaxNamed} more") : "");
}
