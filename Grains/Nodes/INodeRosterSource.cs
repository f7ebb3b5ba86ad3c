namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>Where the roster comes from: static configuration or Kubernetes.</summary>
internal interface INodeRosterSource
{
    /// <summary>The latest answer; <see langword="null"/> until the source has answered for the first time.</summary>
    NodeRoster? Current { get; }

    /// <summary>Raised after <see cref="Current"/> changed. Handlers only note it.</summary>
    event Action? Changed;

    /// <summary>
    /// What the source knows to be wrong with a node: it lacks addresses, say, or publishes another key than it announces. For people;
    /// nothing is decided by it.
    /// </summary>
    /// <param name="nodeName">One that the source may not know at all.</param>
    /// <param name="announced">Its current announcement; <see langword="null"/> if none is held.</param>
    EquatableArray<NodeProblem> FindProblems(string nodeName, PeerAnnouncement? announced) => [];
}
