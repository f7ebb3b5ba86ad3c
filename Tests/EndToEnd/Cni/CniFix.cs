namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>What makes a kind of cluster work, and what is seen there without it.</summary>
/// <param name="Name">Unique among those of a kind; words joined by hyphens.</param>
/// <param name="Off">The settings that switch it off.</param>
/// <param name="Faults">What has to be seen then; more may be.</param>
internal sealed record CniFix(string Name, IReadOnlyDictionary<string, string> Off, params CniFault[] Faults)
{
    /// <summary>Settings without which nothing can be seen of it, because the cluster lacks more than this.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];

    /// <summary>
    /// A table of nftables in every pod that undoes what has no setting of its own; <see langword="null"/> if the settings are enough.
    /// </summary>
    public string? PodFilter { get; init; }
}
