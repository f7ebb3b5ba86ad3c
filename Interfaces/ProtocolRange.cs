using System.Globalization;

namespace Orleans.WireGuard;

/// <summary>The versions of the protocol between silos that one of them speaks, both bounds included.</summary>
/// <param name="Min">The lowest: that of the release before.</param>
/// <param name="Max">The highest: its own.</param>
/// <remarks>
/// Policy: a release speaks its own version and the one before. So two releases that follow each other can be in one mesh, upgraded and
/// rolled back, and no others.
/// </remarks>
[GenerateSerializer, Immutable, Alias("owg.ProtocolRange")]
public readonly record struct ProtocolRange([property: Id(0)] int Min, [property: Id(1)] int Max)
{
    /// <summary>What a silo speaks that says nothing of it: it is older than the question.</summary>
    public static ProtocolRange Silent { get; } = new(2, 2);

    /// <summary>Whether a silo can say so of itself: both bounds are at least 1, in this order.</summary>
    public bool IsValid => Min >= 1 && Max >= Min;

    /// <summary>Whether two silos can speak with each other. One that is not valid meets nobody.</summary>
    public bool Meets(ProtocolRange other) => IsValid && other.IsValid && Min <= other.Max && other.Min <= Max;

    /// <summary>As people read it: <c>2 to 3</c>, or <c>2</c>.</summary>
    public override string ToString() => Min == Max
        ? Min.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{Min} to {Max}");
}
