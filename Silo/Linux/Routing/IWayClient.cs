namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Asks the system what becomes of packets of pods, after all rules and routes, whoever made them. Only reads.</summary>
public interface IWayClient
{
    /// <summary>Which way packets take, in the order of the questions.</summary>
    Task<EquatableArray<Way>> FindWaysAsync(EquatableArray<WayQuestion> questions, CancellationToken cancellationToken);

    /// <summary>
    /// A pod of this node, by the routes of the main table: an address of its own, and the link that its packets come in by.
    /// </summary>
    /// <param name="podCIDR">Where its address lies.</param>
    /// <param name="cancellationToken">Checked before the call.</param>
    /// <returns><see langword="null"/> if no route tells of one.</returns>
    Task<PodLink?> FindPodLinkAsync(IPPrefix podCIDR, CancellationToken cancellationToken);

    /// <summary>All rules of a family in the order in which they are asked.</summary>
    Task<EquatableArray<RuleEntry>> GetAllRulesAsync(bool isIPv6, CancellationToken cancellationToken);
}
