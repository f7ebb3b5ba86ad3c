namespace Orleans.WireGuard;

/// <summary>
/// Sorted lists without doubles, compared side by side: of tens of thousands of prefixes only what differs is looked at twice. Pure.
/// </summary>
public static class Sorted
{
    /// <summary>What is in one list and not in the other.</summary>
    public static EquatableArray<T> Except<T>(EquatableArray<T> list, EquatableArray<T> other)
        where T : IComparable<T> => Except(list, other, Comparer<T>.Default);

    /// <summary>What is in one list and not in the other.</summary>
    /// <param name="list">Sorted by <paramref name="order"/>, without doubles.</param>
    /// <param name="other">Sorted in the same way.</param>
    /// <param name="order">By which two are the same if neither comes first.</param>
    public static EquatableArray<T> Except<T>(EquatableArray<T> list, EquatableArray<T> other, IComparer<T> order)
    {
        var right = other.AsSpan();
        var rest = new List<T>();
        var at = 0;
        foreach (var item in list.AsSpan())
        {
            while (at < right.Length && order.Compare(right[at], item) < 0)
            {
                at++;
            }

            if (at == right.Length || order.Compare(right[at], item) != 0)
            {
                rest.Add(item);
            }
        }

        return rest.ToEquatableArray();
    }
}
