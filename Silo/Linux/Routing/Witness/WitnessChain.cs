using Orleans.WireGuard.Linux.Routing.Nftables;

namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>A chain of the witness. Without a hook other chains call it.</summary>
internal sealed record WitnessChain(string Name, NftablesHook? Hook)
{
    /// <summary>As it is read back: with the name of the link that it is called from, or an empty one.</summary>
    public (string Chain, string Link) Key => (Name, Hook?.Device ?? "");
}
