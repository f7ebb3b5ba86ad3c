namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Who the nodes of the mesh are (section <c>Nodes</c>).</summary>
public sealed class NodesOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Nodes";

    /// <summary>
    /// Every node of the mesh, this one included, the same list on all of them. A change of the file is followed while the silo runs.
    /// </summary>
    public IList<StaticNodeOptions> Static { get; } = [];
}

/// <summary>A node of a static roster.</summary>
public sealed class StaticNodeOptions
{
    /// <summary>The node's name. No default.</summary>
    public string Name { get; set; } = "";

    /// <summary>Underlay addresses in order of preference, IPv4 or IPv6. At least one; no default.</summary>
    public IList<string> Addresses { get; } = [];

    /// <summary>The node's pod CIDRs, such as <c>10.244.1.0/24</c>. They overlap no other node's. May be empty.</summary>
    public IList<string> PodCIDRs { get; } = [];
}
