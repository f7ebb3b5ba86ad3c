using System.Globalization;

namespace Orleans.WireGuard;

/// <summary>
/// A rotation interval: <c>floor(unix time / period)</c>. All nodes with one period and true clocks agree on it without talking.
/// </summary>
/// <param name="Value">Number of whole periods since 1970-01-01T00:00:00Z, not negative.</param>
[GenerateSerializer, Immutable, Alias("owg.Epoch")]
public readonly record struct Epoch([property: Id(0)] long Value) : IComparable<Epoch>
{
    /// <summary>The slot whose key belongs to this epoch when a mesh uses two slots: the epoch modulo 2.</summary>
    public Slot Slot => new((byte)(Value & 1));

    /// <summary>The epoch that <paramref name="time"/> falls into.</summary>
    /// <param name="time">Not before 1970.</param>
    /// <param name="period">Length of an epoch; positive.</param>
    /// <exception cref="ArgumentOutOfRangeException">The period is not positive, or the time is before 1970.</exception>
    public static Epoch At(DateTimeOffset time, TimeSpan period)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(period, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(time, DateTimeOffset.UnixEpoch);
        return new Epoch((time - DateTimeOffset.UnixEpoch).Ticks / period.Ticks);
    }

    /// <summary>When this epoch begins.</summary>
    /// <param name="period">Length of an epoch; positive.</param>
    public DateTimeOffset Start(TimeSpan period)
    {
        // Not `period * Value`: that multiplies as a double, and today's ticks since 1970 have more digits than a double holds.
        return DateTimeOffset.UnixEpoch.AddTicks(checked(period.Ticks * Value));
    }

    /// <inheritdoc/>
    public int CompareTo(Epoch other) => Value.CompareTo(other.Value);

    /// <summary>The bare number.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Whether <paramref name="left"/> is earlier.</summary>
    public static bool operator <(Epoch left, Epoch right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> is later.</summary>
    public static bool operator >(Epoch left, Epoch right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> is not later.</summary>
    public static bool operator <=(Epoch left, Epoch right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> is not earlier.</summary>
    public static bool operator >=(Epoch left, Epoch right) => left.Value >= right.Value;
}
