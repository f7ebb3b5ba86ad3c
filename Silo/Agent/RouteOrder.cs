using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The order in which routes are read and kept: by destination, what is refused last. Pure.</summary>
internal sealed class RouteOrder : IComparer<Route>
{
    private RouteOrder()
    {
    }

    /// <summary>Compares whole routes.</summary>
    public static RouteOrder Instance { get; } = new();

    /// <inheritdoc/>
    public int Compare(Route? x, Route? y)
    {
        var (left, right) = (x!, y!);
        return CompareKeys(left, right) is not 0 and var order ? order
            : string.CompareOrdinal(left.DeviceName, right.DeviceName) is not 0 and var names ? names
            : left.IsThrow.CompareTo(right.IsThrow) is not 0 and var kinds ? kinds
            : string.CompareOrdinal(left.Source?.ToString(), right.Source?.ToString());
    }

    /// <summary>Compares what the kernel replaces routes by (<see cref="Route.Key"/>).</summary>
    public static int CompareKeys(Route left, Route right) =>
        left.Destination.CompareTo(right.Destination) is not 0 and var order
            ? order
            : left.IsUnreachable.CompareTo(right.IsUnreachable);

    /// <summary>The same routes in this order, without doubles. Those that are so already are not copied.</summary>
    public static EquatableArray<Route> Sort(EquatableArray<Route> routes)
    {
        var items = routes.AsSpan();
        for (var i = 1; i < items.Length; i++)
        {
            if (Instance.Compare(items[i - 1], items[i]) >= 0)
            {
                return routes.Distinct().Order(Instance).ToEquatableArray();
            }
        }

        return routes;
    }

    /// <summary>The first route to a destination, or <see langword="null"/>.</summary>
    /// <param name="routes">In this order.</param>
    /// <param name="destination">Just this prefix.</param>
    public static Route? FindFirst(EquatableArray<Route> routes, IPPrefix destination)
    {
        var items = routes.AsSpan();
        var (from, to) = (0, items.Length);
        while (from < to)
        {
            var middle = (from + to) / 2;
            (from, to) = items[middle].Destination < destination ? (middle + 1, to) : (from, middle);
        }

        return from < items.Length && items[from].Destination == destination ? items[from] : null;
    }
}
