namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>Where the roster comes from: static configuration or Kubernetes.</summary>
internal interface INodeRosterSource
{
    /// <summary>The latest answer; <see langword="null"/> until the source has answered for the first time.</summary>
    NodeRoster? Current { get; }

    /// <summary>Raised after <see cref="Current"/> changed. Handlers only note it.</summary>
    event Action? Changed;
}
