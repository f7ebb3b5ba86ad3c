namespace Orleans.WireGuard;

/// <summary>What became of a key that was due. Numbers are on the wire: new codes go to the end.</summary>
public enum RotationProblemCode
{
    /// <summary>A silo of another version says something that this one does not know.</summary>
    Unknown,

    /// <summary>It waits for nodes that are expected to move to another key soon.</summary>
    Waits,

    /// <summary>The old key was kept for another turn, because the new one would have cut off nodes.</summary>
    Kept,

    /// <summary>The old key is older than it should become, and is kept because too many nodes would be cut off.</summary>
    TooManyLagging,

    /// <summary>The old key was older than it should become, and was replaced although that cuts off nodes.</summary>
    Replaced,
}

/// <summary>Why the latest due key was not made, or at what cost it was.</summary>
/// <param name="Code">What became of it.</param>
/// <param name="FirstLagging">The first of the nodes that depend on the old key, by name.</param>
/// <param name="LaggingPeers">How many depend on it; 1 or more.</param>
/// <param name="LivePeers">How many nodes there are that could.</param>
/// <param name="MaxKeyAge">How old a key may become before it is replaced at the cost of a few nodes.</param>
/// <param name="MaxLaggingFraction">The part of the live nodes that this may cost; 0 to 1.</param>
[GenerateSerializer, Immutable, Alias("owg.RotationProblem")]
public sealed record RotationProblem(
    [property: Id(0)] RotationProblemCode Code,
    [property: Id(1)] LaggingNode FirstLagging,
    [property: Id(2)] int LaggingPeers,
    [property: Id(3)] int LivePeers,
    [property: Id(4)] TimeSpan MaxKeyAge,
    [property: Id(5)] double MaxLaggingFraction);
