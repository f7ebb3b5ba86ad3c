using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>Ready: the list of nodes is followed, and has nothing to complain about this node.</summary>
/// <remarks>What another node's object claims of this one's addresses is told, and makes this node no less ready.</remarks>
internal sealed class NodesCheck(
    INodeRosterSource roster, AnnouncementStore store, AddressStore addresses, AddressReport report, OwnAnnouncement announced,
    ILocalSiloDetails silo, IServiceProvider services)
        : IHealthCheck
{
    private NodeRoster? Roster => addresses.Roster ?? store.Roster;

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var problem = services.GetService<NodeWatcher>()?.Problem is { } away ? $"nodes: {away}"
            : NodeProblemText.Describe(OwnProblems()) is { } own ? $"nodes: {silo.Name} {own}"
            : NodeProblemText.Describe(RosterRemarks.FindProblems(Roster, silo.Name)) is { } loss ? $"nodes: {loss}"
            : null;
        var note = NodeProblemText.Describe(RosterRemarks.FindNotes(Roster, silo.Name));
        return Task.FromResult(Health.Of(problem, note is null ? null : $"nodes: {note}"));
    }

    private EquatableArray<NodeProblem> OwnProblems() =>
        [.. roster.FindProblems(silo.Name, announced.Latest), .. report.FindProblems()];
}
