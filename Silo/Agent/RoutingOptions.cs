using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Where the routes to other nodes' pods live (section <c>Routing</c>). After a change the next start of the silo moves them, and removes
/// what the former numbers left.
/// </summary>
public sealed class RoutingOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Routing";

    /// <summary>
    /// The routing table that holds our routes and nobody else's: a route of somebody else in it is removed. The next number is that of the
    /// table for packed packets (<c>Encryption:Encapsulation</c>). Default: 201. Range: 1 to 1000000000, but not 251 to 255, because 252 to
    /// 255 are the kernel's.
    /// </summary>
    [Since("0.1")]
    public int Table { get; set; } = (int)RouteTable.Default.Number;

    /// <summary>
    /// Priority of the rules that lead this node's pods into <see cref="Table"/>. Whatever rule has a smaller number decides before.
    /// Default: 201. Range: 3 to 32764, before the main table; the two numbers before it are ours too.
    /// </summary>
    [Since("0.1")]
    public int RulePriority { get; set; } = (int)RouteTable.Default.RulePriority;

    /// <summary>Both as one.</summary>
    internal RouteTable ToRouteTable() => new((uint)Table, (uint)RulePriority);
}
