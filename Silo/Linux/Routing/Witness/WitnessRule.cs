using Orleans.WireGuard.Linux.Routing.Nftables;

namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>A rule of the witness.</summary>
/// <param name="Chain">The chain it is in.</param>
/// <param name="Comment">What tells that it is ours, and which one it is.</param>
/// <param name="Body">Its expressions.</param>
internal sealed record WitnessRule(string Chain, string Comment, NftablesMessages.RuleBody Body);
