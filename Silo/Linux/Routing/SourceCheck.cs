namespace Orleans.WireGuard.Linux.Routing;

/// <summary>What lets a link take packets whose answers would leave through another one: both, or it drops them.</summary>
/// <param name="IsLoose">Whether its rp_filter is 2.</param>
/// <param name="HasAddress">Whether it has the address that the check needs.</param>
public sealed record SourceCheck(bool IsLoose, bool HasAddress)
{
    /// <summary>As it should be.</summary>
    public static SourceCheck Loose { get; } = new(IsLoose: true, HasAddress: true);

    /// <summary>As a new link has it.</summary>
    public static SourceCheck None { get; } = new(IsLoose: false, HasAddress: false);
}
