using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.Linux.Routing.Witness;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Removes from a node what silos made on it, and nothing else. Safe to run again: what is gone is fine.</summary>
/// <remarks>
/// The devices first, so that a run that fails in the middle has not removed the routes by which the next one tells that the device is
/// ours. The refusals of strict mode and the rules go last: until then nothing leaves in clear.
/// </remarks>
/// <param name="links">Links, routes and rules.</param>
/// <param name="firewall">The table that drops plaintext.</param>
/// <param name="witness">The table that counts it.</param>
/// <param name="names">What the devices are called by the configuration; those of the default names are looked for too.</param>
/// <param name="findClient">The client for devices of a link kind; <see langword="null"/> for a kind that is no WireGuard device.</param>
internal sealed class NodeCleanup(
    ILinkClient links, IFirewall firewall, IWitness witness, DeviceNames names, Func<string, IWireGuardClient?> findClient)
{
    /// <summary>Removes devices, routes, rules and tables that silos made, and tells what it left.</summary>
    /// <param name="nodeName">This node; empty if unknown.</param>
    /// <param name="roster">Who the nodes are; <see langword="null"/> if unknown.</param>
    /// <param name="report">Gets each item at once, so that it is true even if this fails.</param>
    /// <param name="cancellationToken">Ends it between two removals.</param>
    /// <exception cref="LinuxException">The system refused something.</exception>
    public async Task RunAsync(string nodeName, NodeRoster? roster, CleanupReport report, CancellationToken cancellationToken)
    {
        // The device that carries the traffic last: it takes its routes along, and they tell of the other one too that it is ours.
        var routes = await FormerTables.ReadAllRoutesAsync(links, cancellationToken);

        // By other names too, which the silos had and this configuration may not have: our routes lead through them.
        var routed = routes.Select(route => route.DeviceName).Where(name => name.StartsWith(DeviceNames.Prefix, StringComparison.Ordinal));
        foreach (var name in names.All.Concat(DeviceNames.Default.All).Concat(routed).Distinct()
            .OrderBy(name => routes.Any(route => route.DeviceName == name)))
        {
            await RemoveDeviceAsync(name, nodeName, roster, routes, report, cancellationToken);
        }

        var packetRules = await links.GetPacketRulesAsync(cancellationToken);
        List<ILinkClient> tables =
        [
            links, links.At(links.Table.OfNode), links.At(links.Table.OfEncapsulated),
            .. (await links.GetFormerTablesAsync(cancellationToken)).Concat(packetRules.Select(rule => rule.Table)).Select(links.At),
        ];
        foreach (var table in tables.DistinctBy(table => table.Table.Number))
        {
            foreach (var route in await table.GetRoutesAsync(cancellationToken))
            {
                await table.DeleteRouteAsync(route, cancellationToken);
                report.Removed.Add(new CleanupItem(
                    "route", route.IsUnreachable ? $"unreachable {route.Destination}" : $"{route.Destination} dev {route.DeviceName}"));
            }
        }

        foreach (var table in tables)
        {
            foreach (var source in await table.GetRulesAsync(cancellationToken))
            {
                await table.DeleteRuleAsync(source, cancellationToken);
                report.Removed.Add(new CleanupItem("rule", $"from {source}"));
            }
        }

        foreach (var rule in packetRules)
        {
            await links.DeletePacketRuleAsync(rule, cancellationToken);
            report.Removed.Add(new CleanupItem("rule", $"packets of {rule.Packet}"));
        }

        if (await firewall.TryGetAsync(cancellationToken) is not null)
        {
            await firewall.DeleteAsync(cancellationToken);
            report.Removed.Add(new CleanupItem("firewall", "table of dropped plaintext"));
        }

        if (await witness.TryGetAsync(cancellationToken) is not null)
        {
            await witness.DeleteAsync(cancellationToken);
            report.Removed.Add(new CleanupItem("witness", "table of what is counted at the wire"));
        }
    }

    private async Task RemoveDeviceAsync(
        string name, string nodeName, NodeRoster? roster, EquatableArray<Route> routes,
        CleanupReport report, CancellationToken cancellationToken)
    {
        if (await links.TryGetLinkAsync(name, cancellationToken) is not { } link)
        {
            return;
        }

        if (findClient(link.Kind) is not { } client)
        {
            Keep($"it is a link of kind '{link.Kind}', which no silo makes");
            return;
        }

        if (await client.TryGetDeviceAsync(name, cancellationToken) is not { } device)
        {
            Keep("no WireGuard process answers for it, so it is none of ours");
            return;
        }

        switch (DeviceOwnership.Judge(device, nodeName, roster, new Dictionary<string, PeerAnnouncement>(), routes))
        {
            case DeviceOwner.Ours:
                await client.DeleteDeviceAsync(name, cancellationToken);
                report.Removed.Add(new CleanupItem("device", name));
                foreach (var route in routes.Where(route => route.DeviceName == name))
                {
                    report.Removed.Add(new CleanupItem("route", $"{route.Destination} dev {name}"));
                }

                break;
            case DeviceOwner.SomebodyElse:
                Keep("somebody else configures it: its key and peers are none of this mesh");
                break;
            default:
                report.IsUndecided = true;
                Keep("it has peers, and without the configuration nobody can tell whose they are; give --config");
                break;
        }

        void Keep(string reason) => report.Kept.Add(new CleanupItem("device", name, reason));
    }
}
