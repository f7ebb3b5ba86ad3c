using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// What a silo with another <c>Routing</c> section left: routes in its table, and the rules by which they are told to be ours. Its tunnels
/// are carried over before our rules lead to the present table, and it is removed when that one is complete, so the change loses no packet
/// and leaks none.
/// </summary>
/// <remarks>Not thread-safe: the agent runs one pass at a time.</remarks>
internal sealed class FormerTables(ILinkClient links)
{
    private List<(ILinkClient Links, EquatableArray<Route> Routes)>? _tables;

    /// <summary>Whether there are routes in them.</summary>
    public bool HasRoutes => _tables?.Any(table => table.Routes.Count > 0) ?? false;

    /// <summary>The routes of our table, and of the other tables that our rules lead to: they tell which devices are ours.</summary>
    public static async Task<EquatableArray<Route>> ReadAllRoutesAsync(ILinkClient links, CancellationToken cancellationToken)
    {
        List<Route> routes = [.. await links.GetRoutesAsync(cancellationToken)];
        foreach (var table in await links.GetFormerTablesAsync(cancellationToken))
        {
            routes.AddRange(table.Number == links.Table.Number ? [] : await links.At(table).GetRoutesAsync(cancellationToken));
        }

        foreach (var table in (await links.GetPacketRulesAsync(cancellationToken)).Select(rule => rule.Table).Distinct())
        {
            routes.AddRange(await links.At(table).GetRoutesAsync(cancellationToken));
        }

        return routes.Distinct().ToEquatableArray();
    }

    /// <summary>Looks for them, once for each process.</summary>
    public async Task FindAsync(CancellationToken cancellationToken)
    {
        if (_tables is not null)
        {
            return;
        }

        List<(ILinkClient Links, EquatableArray<Route> Routes)> tables = [];
        foreach (var table in await links.GetFormerTablesAsync(cancellationToken))
        {
            // Where only the priority changed, the routes are the present ones.
            var former = links.At(table);
            tables.Add((former, table.Number == links.Table.Number ? [] : await former.GetRoutesAsync(cancellationToken)));
        }

        _tables = tables;
    }

    /// <summary>Routes that should be there, with those of the former tables that are still needed.</summary>
    /// <param name="routes">What should be there anyway.</param>
    /// <param name="keepsRefusals">Whether nobody knows yet what is to be refused.</param>
    public EquatableArray<Route> RoutesToKeep(EquatableArray<Route> routes, bool keepsRefusals)
    {
        var known = routes.Select(route => route.Key).ToHashSet();
        var kept = (_tables ?? []).SelectMany(table => table.Routes)
            .Where(route => (keepsRefusals || route.DeviceName.Length > 0) && known.Add(route.Key));
        return [.. routes, .. kept];
    }

    /// <summary>Takes routes and rules out of the former tables, once the present one has everything.</summary>
    /// <returns>Whether there was a former table.</returns>
    public async Task<bool> RemoveAsync(CancellationToken cancellationToken)
    {
        var isAny = _tables is { Count: > 0 };
        foreach (var (former, _) in _tables ?? [])
        {
            // Refusals first: a packet meets the tunnel above until that one is gone too, and from then on the present table. The rules
            // last: by them the next start finds what is left if this one ends here.
            var routes = former.Table.Number == links.Table.Number ? [] : await former.GetRoutesAsync(cancellationToken);
            foreach (var route in routes.OrderByDescending(route => route.IsUnreachable))
            {
                await former.DeleteRouteAsync(route, cancellationToken);
            }

            foreach (var rule in await former.GetRulesAsync(cancellationToken))
            {
                await former.DeleteRuleAsync(rule, cancellationToken);
            }
        }

        _tables = [];
        return isAny;
    }
}
