using Orleans.WireGuard.Silo.Devices.Netlink;
using Orleans.WireGuard.Silo.Routing.Nftables;

namespace Orleans.WireGuard.Silo.Routing.Firewall;

/// <summary>Reads what the kernel answers about our table.</summary>
internal static class FirewallReader
{
    /// <summary>Reads an NFT_MSG_NEWOBJ, or returns <see langword="null"/> if it is not our counter.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static (ulong Packets, ulong Bytes)? TryReadCounter(in NetlinkMessage message) =>
        NftablesReader.TryReadCounter(message) is { Table: FirewallTable.Name, Name: FirewallTable.Counter } counter ? (counter.Packets, counter.Bytes) : null;

    /// <summary>Reads the elements of an NFT_MSG_NEWSETELEM.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static void ReadSources(in NetlinkMessage message, List<(byte[] Address, bool IsEnd)> ends) => NftablesReader.ReadPrefixes(message, ends);

    /// <summary>Reads an NFT_MSG_NEWRULE.</summary>
    /// <returns>Whether it is one of our rules, by its chain and its comment.</returns>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static bool ReadIsOurRule(in NetlinkMessage message) =>
        NftablesReader.ReadRule(message, FirewallMessages.RuleUserData) is (FirewallTable.Chain, true);
}
