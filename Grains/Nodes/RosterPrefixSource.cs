namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>What the list of nodes says of this one: where nothing else tells what pods have.</summary>
internal sealed class RosterPrefixSource : IOwnPrefixSource
{
    private readonly INodeRosterSource _roster;
    private readonly string _nodeName;
    private volatile Known? _known;

    /// <summary>Makes one.</summary>
    /// <param name="roster">The list.</param>
    /// <param name="nodeName">This node.</param>
    public RosterPrefixSource(INodeRosterSource roster, string nodeName)
    {
        (_roster, _nodeName) = (roster, nodeName);
        _roster.Changed += () => Changed?.Invoke();
    }

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public OwnPrefixes? Current
    {
        get
        {
            // Asked in every pass, and made once for each list.
            var (roster, known) = (_roster.Current, _known);
            if (!ReferenceEquals(known?.Roster, roster))
            {
                _known = known = new Known(roster, roster is null ? null : Of(roster.Find(_nodeName)));
            }

            return known?.Prefixes;
        }
    }

    /// <inheritdoc/>
    public EquatableArray<NodeProblem> Problems => [];

    private static OwnPrefixes Of(RosterNode? node) => new(node?.ListedPodCIDRs ?? [], [])
    {
        Source = node is { Kind.Length: > 0 } ? node.Kind : "roster",
        Because = "the list of nodes tells it",
    };

    private sealed record Known(NodeRoster? Roster, OwnPrefixes? Prefixes);
}
