using Orleans.Concurrency;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains;

/// <summary>Asks every node and puts the answers side by side.</summary>
/// <remarks>Reentrant, and callers share the question that is under way: ten people who watch a mesh cost as much as one.</remarks>
[Reentrant]
internal sealed class MeshGrain(
    MeshMembers members, INodeRosterSource roster, AnnouncementStore store, TimeProvider timeProvider) : Grain, IMeshGrain
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(1);

    private Task<MeshSnapshot>? _underWay;

    /// <inheritdoc/>
    public Task<MeshSnapshot> GetSnapshot(CancellationToken cancellationToken)
    {
        if (_underWay is null || _underWay.IsCompleted)
        {
            _underWay = TakeSnapshot();
        }

        return _underWay.WaitAsync(cancellationToken);
    }

    private async Task<MeshSnapshot> TakeSnapshot()
    {
        var takenAt = timeProvider.GetUtcNow();
        var active = members.Others.Select(member => member.NodeName).Append(members.LocalNodeName).ToHashSet(StringComparer.Ordinal);
        var names = active.Union(store.Announcements.Keys).Union(roster.Current?.Nodes.Keys ?? []).Order(StringComparer.Ordinal);
        var nodes = await Task.WhenAll(names.Select(name => AskNode(name, active.Contains(name))));
        return new MeshSnapshot(takenAt, nodes.ToEquatableArray(), KeyAgreementMatrix.Build(nodes));
    }

    private async Task<MeshNode> AskNode(string nodeName, bool isActive)
    {
        if (!isActive)
        {
            return Describe(nodeName, null, "no active silo; its tunnels keep the last key");
        }

        try
        {
            var status = await GrainFactory.GetGrain<INodeGrain>(nodeName).GetStatus().WaitAsync(AnswerTimeout, timeProvider);
            return Describe(nodeName, status, status.Problem);
        }
        catch (Exception e)
        {
            // One node that cannot answer, for whatever reason, must not hide the others.
            return Describe(nodeName, null, e is TimeoutException ? $"no answer within {AnswerTimeout.TotalSeconds} s" : e.Message);
        }
    }

    // What the node says of itself, what the source of the roster says of it, and what is wrong with its place in the roster.
    private MeshNode Describe(string nodeName, NodeStatus? status, string? problem)
    {
        var divided = store.Roster;
        string?[] problems =
            [problem, roster.FindProblem(nodeName, store.Announcements.GetValueOrDefault(nodeName)), RosterRemarks.FindProblem(divided, nodeName)];
        var known = problems.Where(each => each is not null).ToList();
        return new MeshNode(nodeName, status, known.Count == 0 ? null : string.Join("; ", known)) { Note = RosterRemarks.FindNote(divided, nodeName) };
    }
}
