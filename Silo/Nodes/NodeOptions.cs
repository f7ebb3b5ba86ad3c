namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Which node this silo runs on (section <c>Node</c>).</summary>
public sealed class NodeOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Node";

    /// <summary>
    /// The environment variable that gives the name if the configuration does not: the downward API's <c>spec.nodeName</c>.
    /// </summary>
    public const string NameVariable = "NODE_NAME";

    /// <summary>
    /// The node's name, which the silo bears too. No default. A DNS subdomain name of at most 253 characters, as Kubernetes requires of
    /// nodes.
    /// </summary>
    [Since("0.1")]
    public string Name { get; set; } = "";

    /// <summary>
    /// The environment variable that gives the address if the configuration does not: the downward API's <c>status.hostIP</c>.
    /// </summary>
    public const string AddressVariable = "HOST_IP";

    /// <summary>
    /// Address of this node, IPv4 or IPv6, by which other silos reach its silo. Default: empty, which takes the first address of the
    /// node's entry in <see cref="NodesOptions.Static"/>. Needed when the nodes come from Kubernetes: a silo has to know its address
    /// before the API server answers.
    /// </summary>
    [Since("0.1")]
    public string Address { get; set; } = "";
}
