using System.Net;

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

/// <summary>How a pod's packets come to this node's routes.</summary>
/// <param name="LinkName">The link that they come in by.</param>
/// <param name="Address">Their source.</param>
public sealed record PodLink(string LinkName, IPAddress Address);

/// <summary>A packet that is asked about.</summary>
/// <param name="From">Where it comes from.</param>
/// <param name="Destination">Where it goes to.</param>
public sealed record WayQuestion(PodLink From, IPAddress Destination);

/// <summary>What becomes of it.</summary>
/// <param name="LinkName">The link that it leaves by; empty if it does not leave.</param>
/// <param name="Table">The routing table that decides; 0 if that is not known.</param>
/// <param name="Fate">Whether it leaves.</param>
public sealed record Way(string LinkName, uint Table, WayFate Fate)
{
    /// <summary>It is refused.</summary>
    public static Way Refused { get; } = new("", 0, WayFate.Refused);

    /// <summary>Nobody knows.</summary>
    public static Way Unknown { get; } = new("", 0, WayFate.Unknown);
}

/// <summary>Whether a packet leaves.</summary>
public enum WayFate
{
    /// <summary>It leaves.</summary>
    Leaves,

    /// <summary>It is refused, or there is no route.</summary>
    Refused,

    /// <summary>The system cannot tell, as when the pod that the question supposes is gone, or its source would not be believed.</summary>
    Unknown,
}
