using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Keeps our routing table and the rules that lead into it what they should be.</summary>
/// <remarks>
/// Two steps of a pass, so that there is no moment in which a packet for another node's pod finds neither tunnel nor refusal (invariant
/// I7):
/// <code>
/// Protect: throw routes, unreachable routes, then rules ──▶ the device is made and configured ──▶ Observe ──▶ Connect: routes through it,
///          a packet that comes now is refused                                                                 removals, refusals last
/// </code>
/// A refusal has the largest metric, so a route through the device lies above it, and taking that one away uncovers it.
/// Not thread-safe: the agent runs one pass at a time.
/// </remarks>
internal sealed class RouteReconciler(ILinkClient links)
{
    private readonly FormerTables _former = new(links);
    private readonly ILinkClient _ofNode = links.At(links.Table.OfNode);
    private readonly EncapsulationReconciler _encapsulation = new(links);
    private EquatableArray<Route>? _routes;
    private EquatableArray<IPPrefix>? _rules;
    private EquatableArray<IPPrefix> _nodeRules = [];
    private EquatableArray<ForeignRoute> _foreign = [];
    private Reading? _reading;
    private bool _isOurs;

    /// <summary>The routes as they are, as far as this process knows.</summary>
    public EquatableArray<Route> Routes => _routes ?? [];

    /// <summary>Why packed packets cannot be led at all; <see langword="null"/> if they can.</summary>
    public string? EncapsulationFault => _encapsulation.Fault;

    /// <summary>The same, with those that packed packets take: by which a device is known to be in use.</summary>
    public EquatableArray<Route> AllRoutes =>
        _encapsulation.Routes.Count == 0 ? Routes : Routes.Concat(_encapsulation.Routes).ToEquatableArray();

    /// <summary>Forgets what was read or written, because routes went away with their device.</summary>
    public void Forget()
    {
        (_routes, _rules, _reading) = (null, null, null);
        _encapsulation.Forget();
    }

    /// <summary>Counts what the latest reading found changed by others.</summary>
    /// <param name="drifts">Where to count.</param>
    /// <param name="lostLinks">Links that went down or away: nobody deleted their routes.</param>
    public void NoteDrift(DriftLog drifts, IReadOnlySet<string> lostLinks)
    {
        if (_reading is { } reading)
        {
            drifts.Note(DriftDetector.OfRoutes(reading.ExpectedRoutes, reading.Routes, lostLinks));
            drifts.Note(DriftDetector.OfRules(reading.ExpectedRules, reading.Rules));
            drifts.Note([.. reading.Foreign.Select(route => new Drift(DriftKind.RouteAdded, route.Description))]);
            _reading = null;
        }

        _encapsulation.NoteDrift(drifts, lostLinks);
    }

    /// <summary>Whether routes and rules are other ones than the last pass left. Only reads.</summary>
    public async Task<bool> HaveChangedAsync(CancellationToken cancellationToken) =>
        _routes is not { } routes || _rules is not { } rules
        || RouteOrder.Sort(routes) != RouteOrder.Sort(await links.GetRoutesAsync(cancellationToken))
        || !rules.ToHashSet().SetEquals(await links.GetRulesAsync(cancellationToken))
        || _nodeRules != await _ofNode.GetRulesAsync(cancellationToken)
        || (await links.GetForeignRoutesAsync(cancellationToken)).Count > 0
        || await _encapsulation.HaveChangedAsync(cancellationToken);

    /// <summary>Refuses what has no tunnel, before anything else is done. Removes nothing but what others added to our table.</summary>
    /// <param name="plan">What is to be refused.</param>
    /// <param name="isResync">Whether to read routes and rules again, instead of trusting what this process wrote last.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    /// <exception cref="LinuxException">The table is somebody else's, or the system refused something.</exception>
    public async Task ProtectAsync(ProtectionPlan plan, bool isResync, CancellationToken cancellationToken)
    {
        await ReadAsync(isResync, cancellationToken);
        var routes = _routes!.Value;

        // What excepts a node has the key of the tunnel to it, which may be there: that is decided when the devices tell what works.
        var wanted = (plan.Refusals ?? []).Concat(plan.Fallbacks.Where(route => RouteOrder.FindFirst(routes, route.Destination) is not
        { IsUnreachable: false })).ToEquatableArray();
        var missing = Sorted.Except(RouteOrder.Sort(wanted), routes, RouteOrder.Instance);
        if (_former.HasRoutes)
        {
            missing = _former.RoutesToKeep([.. routes, .. missing], keepsRefusals: plan.Refusals is null).Except(routes).ToEquatableArray();
        }

        var patch = RoutePatch.Build(missing, [], plan.Rules, _rules!.Value);
        await ApplyNodeRulesAsync(plan, isComplete: false, cancellationToken);
        await ApplyAsync(patch with { DeleteRules = [] }, cancellationToken);
        foreach (var route in _foreign)
        {
            await links.DeleteForeignRouteAsync(route, cancellationToken);
        }

        _foreign = [];
        if (plan.Encapsulation is { } encapsulation)
        {
            await _encapsulation.ProtectAsync(encapsulation, isResync, cancellationToken);
        }
    }

    /// <summary>The routes as they are, by which the tunnels are planned: read again if they were forgotten since.</summary>
    public async Task<EquatableArray<Route>> ObserveAsync(CancellationToken cancellationToken)
    {
        await ReadAsync(isResync: false, cancellationToken);
        return _routes!.Value;
    }

    /// <summary>
    /// Sends packets for other nodes' pods through the devices, and removes what nobody wants any more. Comes after <see cref="ObserveAsync"/>.
    /// </summary>
    /// <param name="plan">What is refused below the tunnels.</param>
    /// <param name="tunnels">The routes through the devices.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task ConnectAsync(ProtectionPlan plan, EquatableArray<Route> tunnels, CancellationToken cancellationToken)
    {
        var refusals = plan.Refusals ?? _routes!.Value.Where(route => route.DeviceName.Length == 0).ToEquatableArray();
        var fallbacks = plan.Fallbacks.Where(route => RouteOrder.FindFirst(tunnels, route.Destination) is null);
        var desired = tunnels.AsSpan().ToArray().Concat(refusals).Concat(fallbacks).ToEquatableArray();
        var patch = RoutePatch.Build(desired, _routes!.Value, plan.Rules, _rules!.Value);
        await ApplyAsync(patch, cancellationToken);
        await ApplyNodeRulesAsync(plan, isComplete: true, cancellationToken);
        if (plan.Rules is not null && await _former.RemoveAsync(cancellationToken))
        {
            // The number of a former table may be that of the one for packed packets now.
            _encapsulation.Forget();
        }
    }

    /// <summary>The same for packed packets.</summary>
    /// <param name="plan">What is refused below the tunnels.</param>
    /// <param name="view">The sources.</param>
    /// <param name="paths">Through which device each node is sent to, by node name.</param>
    /// <param name="proven">The nodes whose paths work.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task ConnectEncapsulatedAsync(
        ProtectionPlan plan, MeshView view, IReadOnlyDictionary<string, string> paths, IReadOnlySet<string> proven,
        CancellationToken cancellationToken)
    {
        if (plan.Encapsulation is { } encapsulation)
        {
            var observed = await _encapsulation.ObserveAsync(encapsulation, cancellationToken);
            var tunnels = EncapsulationPlan.BuildTunnels(view, paths, proven, observed);
            await _encapsulation.ConnectAsync(encapsulation, tunnels, cancellationToken);
        }
    }

    private async Task ReadAsync(bool isResync, CancellationToken cancellationToken)
    {
        if (isResync || _routes is null || _rules is null)
        {
            var routes = RouteOrder.Sort(await links.GetRoutesAsync(cancellationToken));
            var rules = await links.GetRulesAsync(cancellationToken);
            var nodeRules = await _ofNode.GetRulesAsync(cancellationToken);
            var foreign = await links.GetForeignRoutesAsync(cancellationToken);
            if (!_isOurs && routes.Count + rules.Count == 0 && foreign.Count > 0)
            {
                throw new LinuxException(
                    $"use routing table {links.Table.Number}",
                    0,
                    $"it holds routes of somebody else ({foreign[0].Description}) and none of ours. Set Routing:Table to one that nobody uses, or empty this one");
            }

            _isOurs = true;
            await _former.FindAsync(cancellationToken);
            _reading = _routes is { } expectedRoutes && _rules is { } expectedRules
                ? new Reading(expectedRoutes, routes, expectedRules, rules, foreign)
                : foreign.Count > 0 ? new Reading(routes, routes, rules, rules, foreign) : null;
            (_routes, _rules, _nodeRules, _foreign) = (routes, rules, nodeRules, foreign);
        }
    }

    // Before the rules that they except something from, and gone after those.
    private async Task ApplyNodeRulesAsync(ProtectionPlan plan, bool isComplete, CancellationToken cancellationToken)
    {
        if (plan.NodeRules is not { } wanted || wanted == _nodeRules)
        {
            return;
        }

        foreach (var address in wanted.Except(_nodeRules).ToList())
        {
            await _ofNode.AddRuleAsync(address, cancellationToken);
            _nodeRules = _nodeRules.Append(address).Order().ToEquatableArray();
        }

        foreach (var address in isComplete ? _nodeRules.Except(wanted).ToList() : [])
        {
            await _ofNode.DeleteRuleAsync(address, cancellationToken);
            _nodeRules = _nodeRules.Where(other => other != address).ToEquatableArray();
        }
    }

    private async Task ApplyAsync(RoutePatch patch, CancellationToken cancellationToken)
    {
        if (patch.IsEmpty)
        {
            return;
        }

        // Until these writes have succeeded we do not know what is there; the next pass reads it.
        var (routes, rules) = (patch.ApplyTo(_routes!.Value), patch.ApplyToRules(_rules!.Value));
        (_routes, _rules) = (null, null);
        foreach (var route in patch.Replace)
        {
            await links.ReplaceRouteAsync(route, cancellationToken);
        }

        foreach (var rule in patch.AddRules)
        {
            await links.AddRuleAsync(rule, cancellationToken);
        }

        foreach (var route in patch.Delete)
        {
            await links.DeleteRouteAsync(route, cancellationToken);
        }

        foreach (var rule in patch.DeleteRules)
        {
            await links.DeleteRuleAsync(rule, cancellationToken);
        }

        (_routes, _rules) = (routes, rules);
    }

    /// <summary>What was read beside what this process had left there.</summary>
    private sealed record Reading(
        EquatableArray<Route> ExpectedRoutes,
        EquatableArray<Route> Routes,
        EquatableArray<IPPrefix> ExpectedRules,
        EquatableArray<IPPrefix> Rules,
        EquatableArray<ForeignRoute> Foreign);
}
