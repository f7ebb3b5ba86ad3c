namespace Orleans.WireGuard.Silo.Routing;

/// <summary>Where our routes live. The numbers are Cilium's former ones, which no distribution uses.</summary>
internal static class RouteTable
{
    /// <summary>The routing table that holds our routes and nobody else's: 201.</summary>
    public const int Number = 201;

    /// <summary>Priority of the rules that lead into it: before the main table (32766), behind local (0).</summary>
    public const int RulePriority = 201;

    /// <summary>
    /// Protocol number on our routes and rules, so that we recognise them. 201 is not assigned in iproute2's rt_protos.
    /// </summary>
    public const int Protocol = 201;

    /// <summary>
    /// Metric of unreachable routes: the largest, so that any route through a device wins, and removing that one uncovers the refusal without
    /// a moment in between.
    /// </summary>
    public const uint UnreachableMetric = uint.MaxValue;
}
