using System.Globalization;
using Orleans.Concurrency;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains;

/// <summary>Asks nodes and puts the answers side by side.</summary>
/// <remarks>
/// On the silo that is asked: who asks because something is wrong needs no other silo for an answer, and no grain directory, whose parts
/// lie on silos that may be gone. Reentrant, and callers share the question to a node that is under way: ten people who watch a mesh on one
/// silo cost as much as one. Answers are not kept, because they are large; how many nodes there may be is asked before anybody is.
/// </remarks>
[StatelessWorker(1), Reentrant]
internal sealed class MeshGrain(
    MeshMembers members, INodeRosterSource roster, AnnouncementStore store, AddressStore addresses, TimeProvider timeProvider)
        : Grain, IMeshGrain
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, Task<MeshNode>> _underWay = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public Task<EquatableArray<string>> GetNodeNames(CancellationToken cancellationToken) =>
        Task.FromResult(FindNames(FindActive()).ToEquatableArray());

    /// <inheritdoc/>
    public async Task<EquatableArray<MeshNode>> GetNodes(EquatableArray<string> nodeNames, CancellationToken cancellationToken)
    {
        if (nodeNames.Count > IMeshGrain.MaxAsked)
        {
            throw new ArgumentException(
                $"{nodeNames.Count} nodes are more than the {IMeshGrain.MaxAsked} that are asked at once.", nameof(nodeNames));
        }

        var active = FindActive();
        ThrowIfTooLarge(FindNames(active).Count, IMeshGrain.MaxNodes);
        return (await AskNodesAsync(nodeNames, active).WaitAsync(cancellationToken)).ToEquatableArray();
    }

    /// <inheritdoc/>
    public async Task<MeshSnapshot> GetSnapshot(CancellationToken cancellationToken)
    {
        var (takenAt, active) = (timeProvider.GetUtcNow(), FindActive());
        var names = FindNames(active);
        ThrowIfTooLarge(names.Count, IMeshGrain.MaxSnapshotNodes);
        var nodes = await AskNodesAsync(names, active).WaitAsync(cancellationToken);
        return new MeshSnapshot(takenAt, nodes.ToEquatableArray(), KeyAgreementMatrix.Build(nodes));
    }

    private static void ThrowIfTooLarge(int nodes, int maxNodes)
    {
        if (nodes > maxNodes)
        {
            throw new MeshTooLargeException(nodes, maxNodes);
        }
    }

    private HashSet<string> FindActive() =>
        members.Others.Select(member => member.NodeName).Append(members.LocalNodeName).ToHashSet(StringComparer.Ordinal);

    // Where no silo can run none is missed; AddressStatus.ExemptNodes names such a node.
    private List<string> FindNames(IEnumerable<string> active) =>
        [.. store.Announcements.Keys.Union(roster.Current?.Nodes.Keys ?? [])
            .Where(name => roster.Current?.Find(name) is not { IsExempt: true })
            .Union(active).Order(StringComparer.Ordinal)];

    private Task<MeshNode[]> AskNodesAsync(IEnumerable<string> names, HashSet<string> active) =>
        Task.WhenAll(names.Select(name => active.Contains(name)
            ? AskSharedAsync(name)
            : Task.FromResult(Describe(name, null, [NodeProblem.Of(NodeProblemCode.NoSilo)]))));

    private Task<MeshNode> AskSharedAsync(string nodeName)
    {
        if (!_underWay.TryGetValue(nodeName, out var question))
        {
            question = AskNodeAsync(nodeName);
            if (!question.IsCompleted)
            {
                _underWay[nodeName] = question;
            }
        }

        return question;
    }

    private async Task<MeshNode> AskNodeAsync(string nodeName)
    {
        try
        {
            var status = await GrainFactory.GetGrain<INodeGrain>(nodeName).GetStatus().WaitAsync(AnswerTimeout, timeProvider);
            return Describe(nodeName, status, status.Problems);
        }
        catch (Exception e)
        {
            // One node that cannot answer, for whatever reason, must not hide the others.
            return Describe(nodeName, null, [e is TimeoutException
                ? NodeProblem.Of(NodeProblemCode.NoAnswer, AnswerTimeout.TotalSeconds.ToString(CultureInfo.InvariantCulture))
                : NodeProblem.Of(NodeProblemCode.CallFailed, e.Message)]);
        }
        finally
        {
            _underWay.Remove(nodeName);
        }
    }

    // What the node says of itself, what the source of the roster says of it, and what is wrong with its place in the roster.
    private MeshNode Describe(string nodeName, NodeStatus? status, EquatableArray<NodeProblem> own)
    {
        var divided = addresses.Roster ?? store.Roster;
        return new MeshNode(
            nodeName,
            status,
            [
                .. own,
                .. roster.FindProblems(nodeName, store.Announcements.GetValueOrDefault(nodeName)),
                .. RosterRemarks.FindProblems(divided, nodeName),
            ])
        { Notes = RosterRemarks.FindNotes(divided, nodeName) };
    }
}
