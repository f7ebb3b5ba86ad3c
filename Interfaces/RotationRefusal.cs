namespace Orleans.WireGuard;

/// <summary>Why a node does not do what an operator asks of its keys. Numbers are on the wire: new codes go to the end.</summary>
public enum RotationRefusalCode
{
    /// <summary>A silo of another version says something that this one does not know.</summary>
    Unknown,

    /// <summary>The node keeps its keys, because an operator froze it.</summary>
    Frozen,

    /// <summary>It has the key of the next epoch already.</summary>
    HasKey,

    /// <summary>Other nodes still depend on the key that the new one would replace.</summary>
    PeersDepend,
}

/// <summary>Why a node refuses a key that an operator asks for. Nothing was changed.</summary>
/// <param name="Code">Why.</param>
/// <param name="NodeName">The node.</param>
/// <param name="Until">
/// When it is worth asking again: the end of the freeze, or when the epoch after the next can be brought forward; <see langword="null"/> if
/// nobody can tell.
/// </param>
/// <param name="Problem">Who depends on the key; <see langword="null"/> unless that is the reason.</param>
[GenerateSerializer, Immutable, Alias("owg.RotationRefusal")]
public sealed record RotationRefusal(
    [property: Id(0)] RotationRefusalCode Code,
    [property: Id(1)] string NodeName,
    [property: Id(2)] DateTimeOffset? Until,
    [property: Id(3)] RotationProblem? Problem);
