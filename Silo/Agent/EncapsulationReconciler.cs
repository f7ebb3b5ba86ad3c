using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Keeps the rules for packed packets, and the table that they lead to, what they should be.</summary>
/// <remarks>In the two steps of <see cref="RouteReconciler"/>, which it is a part of. Not thread-safe.</remarks>
internal sealed class EncapsulationReconciler(ILinkClient links)
{
    private readonly ILinkClient _links = links.At(links.Table.OfEncapsulated);
    private EquatableArray<Route>? _routes;
    private EquatableArray<PacketRule>? _rules;
    private Reading? _reading;
    private bool _isTableRead;
    private bool _isOurs;

    /// <summary>Why packed packets cannot be led at all; <see langword="null"/> if they can.</summary>
    public string? Fault { get; private set; }

    /// <summary>The routes as they are, as far as this process knows.</summary>
    public EquatableArray<Route> Routes => _routes ?? [];

    /// <summary>Forgets what was read or written, because routes went away with their device.</summary>
    public void Forget() => (_routes, _rules, _reading) = (null, null, null);

    /// <summary>Counts what the latest reading found changed by others.</summary>
    /// <inheritdoc cref="RouteReconciler.NoteDrift"/>
    public void NoteDrift(DriftLog drifts, IReadOnlySet<string> lostLinks)
    {
        if (_reading is { } reading)
        {
            drifts.Note(DriftDetector.OfRoutes(reading.ExpectedRoutes, reading.Routes, lostLinks));
            drifts.Note(
            [
                .. reading.ExpectedRules.Except(reading.Rules).Select(rule => new Drift(DriftKind.RuleDeleted, rule.Packet.ToString())),
                .. reading.Rules.Except(reading.ExpectedRules).Select(rule => new Drift(DriftKind.RuleAdded, rule.Packet.ToString())),
                .. reading.Foreign.Select(route => new Drift(DriftKind.RouteAdded, route.Description)),
            ]);
            _reading = null;
        }
    }

    /// <summary>Whether routes and rules are other ones than the last pass left. Only reads.</summary>
    public async Task<bool> HaveChangedAsync(CancellationToken cancellationToken) =>
        _routes is { } routes && _rules is { } rules
        && (!rules.ToHashSet().SetEquals(await _links.GetPacketRulesAsync(cancellationToken))
            || (_isTableRead && (routes != RouteOrder.Sort(await _links.GetRoutesAsync(cancellationToken))
                || (await _links.GetForeignRoutesAsync(cancellationToken)).Count > 0)));

    /// <summary>Refuses what has no tunnel, then leads packets there. Removes nothing but what others added to our table.</summary>
    public async Task ProtectAsync(EncapsulationPlan plan, bool isResync, CancellationToken cancellationToken)
    {
        await ReadAsync(plan, isResync, cancellationToken);
        if (Fault is null)
        {
            var observed = _routes!.Value;
            var patch = RoutePatch.Build([.. observed, .. plan.Refusals.Except(observed)], observed, null, []);
            await ApplyAsync(patch, plan.Rules, [], cancellationToken);
        }
    }

    /// <summary>The routes as they are, by which the tunnels are planned: read again if they were forgotten since.</summary>
    public async Task<EquatableArray<Route>> ObserveAsync(EncapsulationPlan plan, CancellationToken cancellationToken)
    {
        await ReadAsync(plan, isResync: false, cancellationToken);
        return Routes;
    }

    /// <summary>Leads packets through the devices, and removes what nobody wants any more, of a former configuration too.</summary>
    public async Task ConnectAsync(EncapsulationPlan plan, EquatableArray<Route> tunnels, CancellationToken cancellationToken)
    {
        if (Fault is not null)
        {
            return;
        }

        var unwanted = _rules!.Value.Except(plan.Rules).ToList();
        var desired = tunnels.Concat(plan.Refusals).ToEquatableArray();
        await ApplyAsync(RoutePatch.Build(desired, _routes!.Value, null, []), plan.Rules, unwanted, cancellationToken);

        // No rule leads there any more.
        foreach (var former in unwanted.Select(rule => links.At(rule.Table)).DistinctBy(former => former.Table.Number)
            .Where(former => former.Table.Number != _links.Table.Number && former.Table.Number != links.Table.Number))
        {
            foreach (var route in await former.GetRoutesAsync(cancellationToken))
            {
                await former.DeleteRouteAsync(route, cancellationToken);
            }
        }
    }

    private async Task ReadAsync(EncapsulationPlan plan, bool isResync, CancellationToken cancellationToken)
    {
        // Who packs nothing does not touch the table at all: it may be somebody else's.
        if (!isResync && _routes is not null && _rules is not null && (_isTableRead || plan.Rules.Count == 0))
        {
            return;
        }

        var rules = await _links.GetPacketRulesAsync(cancellationToken);
        var isUsed = plan.Rules.Count > 0 || rules.Any(rule => rule.Table == _links.Table);
        var routes = isUsed ? RouteOrder.Sort(await _links.GetRoutesAsync(cancellationToken)) : [];
        var foreign = isUsed ? await _links.GetForeignRoutesAsync(cancellationToken) : [];

        // The rest of the pass goes on: bare packets of pods are led all the same.
        Fault = !_isOurs && routes.Count == 0 && foreign.Count > 0
            ? FormattableString.Invariant($"Routing table {_links.Table.Number} holds routes of somebody else ({foreign[0].Description}) and none of ours. Set Routing:Table so that neither it nor the next number is used by anybody, or Encryption:Encapsulation to Off")
            : null;
        if (Fault is not null)
        {
            return;
        }

        _reading = _isTableRead && isUsed && _routes is { } expectedRoutes && _rules is { } expectedRules
            ? new Reading(expectedRoutes, routes, expectedRules, rules, foreign)
            : null;
        (_isTableRead, _isOurs) = (isUsed, _isOurs || isUsed);
        foreach (var route in foreign)
        {
            await _links.DeleteForeignRouteAsync(route, cancellationToken);
        }

        (_routes, _rules) = (routes, rules);
    }

    private async Task ApplyAsync(
        RoutePatch patch, EquatableArray<PacketRule> wanted, List<PacketRule> unwanted, CancellationToken cancellationToken)
    {
        var missing = wanted.Except(_rules!.Value).ToList();
        if (patch.IsEmpty && missing.Count + unwanted.Count == 0)
        {
            return;
        }

        // Until these writes have succeeded we do not know what is there; the next pass reads it.
        var (routes, rules) = (patch.ApplyTo(_routes!.Value), _rules.Value.Except(unwanted).Concat(missing).ToEquatableArray());
        (_routes, _rules) = (null, null);
        foreach (var route in patch.Replace)
        {
            await _links.ReplaceRouteAsync(route, cancellationToken);
        }

        foreach (var rule in missing)
        {
            await _links.AddPacketRuleAsync(rule, cancellationToken);
        }

        foreach (var rule in unwanted)
        {
            await _links.DeletePacketRuleAsync(rule, cancellationToken);
        }

        foreach (var route in patch.Delete)
        {
            await _links.DeleteRouteAsync(route, cancellationToken);
        }

        (_routes, _rules) = (routes, rules);
    }

    /// <summary>What was read beside what this process had left there.</summary>
    private sealed record Reading(
        EquatableArray<Route> ExpectedRoutes,
        EquatableArray<Route> Routes,
        EquatableArray<PacketRule> ExpectedRules,
        EquatableArray<PacketRule> Rules,
        EquatableArray<ForeignRoute> Foreign);
}
