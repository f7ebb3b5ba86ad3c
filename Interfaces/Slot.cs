using System.Globalization;

namespace Orleans.WireGuard;

/// <summary>
/// One of a node's two places for a key pair, each with a device of its own: slot 0 is <c>cilium_wg0</c>, slot 1 is <c>cilium_wg1</c>.
/// </summary>
[GenerateSerializer(IncludePrimaryConstructorParameters = false), Immutable, Alias("owg.Slot")]
public readonly record struct Slot : IComparable<Slot>
{
    /// <summary>How many slots there can be: 2.</summary>
    public const int Count = 2;

    [Id(0)]
    private readonly byte _index;

    /// <summary>Makes a slot.</summary>
    /// <param name="index">0 or 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The index is neither.</exception>
    public Slot(byte index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        _index = index;
    }

    /// <summary>Slot 0, device <c>cilium_wg0</c>: the only one of a mesh with one slot.</summary>
    public static Slot Zero => default;

    /// <summary>Slot 1, device <c>cilium_wg1</c>.</summary>
    public static Slot One => new(1);

    /// <summary>0 or 1.</summary>
    public int Index => _index;

    /// <inheritdoc/>
    public int CompareTo(Slot other) => _index.CompareTo(other._index);

    /// <summary>The bare number.</summary>
    public override string ToString() => _index.ToString(CultureInfo.InvariantCulture);

    /// <summary>Whether <paramref name="left"/> is slot 0 and <paramref name="right"/> is slot 1.</summary>
    public static bool operator <(Slot left, Slot right) => left._index < right._index;

    /// <summary>Whether <paramref name="left"/> is slot 1 and <paramref name="right"/> is slot 0.</summary>
    public static bool operator >(Slot left, Slot right) => left._index > right._index;

    /// <summary>Whether <paramref name="left"/> is not above <paramref name="right"/>.</summary>
    public static bool operator <=(Slot left, Slot right) => left._index <= right._index;

    /// <summary>Whether <paramref name="left"/> is not below <paramref name="right"/>.</summary>
    public static bool operator >=(Slot left, Slot right) => left._index >= right._index;
}
