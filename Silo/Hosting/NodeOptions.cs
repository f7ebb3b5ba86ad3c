namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Which node this silo runs on (section <c>Node</c>).</summary>
public sealed class NodeOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Node";

    /// <summary>The environment variable that gives the name if the configuration does not: the downward API's <c>spec.nodeName</c>.</summary>
    public const string NameVariable = "NODE_NAME";

    /// <summary>
    /// The node's name, which the silo bears too. No default. A DNS subdomain name of at most 253 characters, as Kubernetes requires of
    /// nodes.
    /// </summary>
    public string Name { get; set; } = "";
}
