namespace Orleans.WireGuard.Linux.Routing;

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
