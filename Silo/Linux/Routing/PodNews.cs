namespace Orleans.WireGuard.Linux.Routing;

/// <summary>What the kernel told that may change where this node's pods are.</summary>
[Flags]
public enum PodNews
{
    /// <summary>Nothing of that kind.</summary>
    None = 0,

    /// <summary>A route into a range of pods came or changed: a pod may be about to start.</summary>
    RouteCame = 1,

    /// <summary>A route went, or a link or an address came, changed or went.</summary>
    Other = 2,

    /// <summary>Something was said and not understood, or more than was heard: anything may have changed.</summary>
    Lost = 4,
}
