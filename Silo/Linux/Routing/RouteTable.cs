namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Where our routes live, and where the rules stand that lead there.</summary>
/// <param name="Number">The routing table that holds our routes and nobody else's.</param>
/// <param name="RulePriority">Priority of the rules that lead into it: before the main table (32766), behind local (0).</param>
public sealed record RouteTable(uint Number, uint RulePriority)
{
    /// <summary>
    /// Protocol number on our routes and rules, so that we recognise them. 201 is not assigned in iproute2's rt_protos.
    /// </summary>
    public const byte Protocol = 201;

    /// <summary>The table in which everybody's routes are, unless a rule leads elsewhere before.</summary>
    public const uint Main = 254;

    /// <summary>The table of this node's own addresses, which is asked first of all.</summary>
    public const uint Local = 255;

    /// <summary>
    /// Metric of unreachable routes: the largest, so that any route through a device wins, and removing that one uncovers the refusal
    /// without a moment in between.
    /// </summary>
    public const uint UnreachableMetric = uint.MaxValue;

    /// <summary>
    /// Where packets of this node itself are looked up whose addresses lie among the pods': in the main table, right before our rules.
    /// Otherwise WireGuard's own packets would be led into the device again.
    /// </summary>
    public RouteTable OfNode => new(Main, RulePriority - 1);

    /// <summary>
    /// Where packets to other nodes are looked up that another data plane of this node has packed, VXLAN for instance: before the rule of
    /// this node's own addresses, which they have.
    /// </summary>
    public RouteTable OfEncapsulated => new(Number + 1, RulePriority - 2);

    /// <summary>Cilium's former numbers, which no distribution uses: 201.</summary>
    public static RouteTable Default { get; } = new(201, 201);

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"table {Number} at priority {RulePriority}");
}
