namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Something that cleanup removed, or found and left.</summary>
/// <param name="Kind"><c>device</c>, <c>route</c>, <c>rule</c>, <c>firewall</c>, <c>witness</c> or <c>annotation</c>.</param>
/// <param name="Name">Which one.</param>
/// <param name="Reason">Why it was left; <see langword="null"/> if it was removed.</param>
internal sealed record CleanupItem(string Kind, string Name, string? Reason = null);

/// <summary>What cleanup did so far; complete once it ended.</summary>
internal sealed class CleanupReport
{
    /// <summary>What is gone now, in order.</summary>
    public List<CleanupItem> Removed { get; } = [];

    /// <summary>What bears one of our names and was left, because it is not ours or nobody can tell.</summary>
    public List<CleanupItem> Kept { get; } = [];

    /// <summary>Whether something was left only because it could not be told whose it is.</summary>
    public bool IsUndecided { get; set; }
}
