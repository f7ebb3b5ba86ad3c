using System.Text.Json.Nodes;
using Orleans.WireGuard.Tests.Support;
using YamlDotNet.RepresentationModel;

namespace Orleans.WireGuard.Tests.Unit.Deploy;

/// <summary>The files of <c>deploy/</c>, parsed.</summary>
internal static class Manifests
{
    /// <summary>Every YAML file of <c>deploy/</c>.</summary>
    public static IReadOnlyList<string> Files { get; } =
        [.. Directory.EnumerateFiles(Path.Combine(TestData.Root, "deploy"), "*.yaml", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)];

    /// <summary>The base, by kind and name.</summary>
    public static YamlMappingNode Base(string kind, string name = "orleans-wireguard") => Directory
        .EnumerateFiles(Path.Combine(TestData.Root, "deploy", "base"), "*.yaml").SelectMany(file => Parse(File.ReadAllText(file)))
        .Single(document => Text(document, "kind") == kind && Text(document, "metadata", "name") == name);

    /// <summary>The silo's configuration file.</summary>
    public static string ConfigurationText => File.ReadAllText(RepositoryFiles.Find("deploy/base/settings/owg.json"));

    /// <summary>The silo's configuration file, parsed as the configuration system does.</summary>
    public static JsonObject Configuration => JsonNode.Parse(
        ConfigurationText, documentOptions: new() { CommentHandling = System.Text.Json.JsonCommentHandling.Skip })!.AsObject();

    /// <summary>The container of the DaemonSet.</summary>
    public static YamlMappingNode Container =>
        (YamlMappingNode)((YamlSequenceNode)At(Base("DaemonSet"), "spec", "template", "spec", "containers"))[0];

    /// <summary>All documents of a file.</summary>
    public static IEnumerable<YamlMappingNode> Parse(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return stream.Documents.Select(document => Assert.IsType<YamlMappingNode>(document.RootNode)).ToList();
    }

    /// <summary>The node at a path of keys.</summary>
    public static YamlNode At(YamlNode node, params IEnumerable<string> path) => path.Aggregate(node, (current, key) => current[key]);

    /// <summary>The text at a path of keys.</summary>
    public static string Text(YamlNode node, params IEnumerable<string> path) => ((YamlScalarNode)At(node, path)).Value!;

    /// <summary>The texts of a list.</summary>
    public static IEnumerable<string> Texts(YamlNode node, string key) =>
        ((YamlSequenceNode)node[key]).Select(item => ((YamlScalarNode)item).Value!);
}
