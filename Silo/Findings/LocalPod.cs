namespace Orleans.WireGuard.Silo.Findings;

/// <summary>An address, or a network, of pods on this node, as routes and links show it.</summary>
/// <param name="Prefix">The address, or the network that a bridge serves.</param>
/// <param name="LinkName">The link that leads there.</param>
internal sealed record LocalPod(IPPrefix Prefix, string LinkName)
{
    /// <summary>Whether it is a network in which single pods cannot be told apart.</summary>
    public bool IsNetwork => Prefix.Length < (Prefix.IsIPv6 ? 128 : 32);
}
