using System.Net;
using CsCheck;
using Orleans.WireGuard.Linux.Routing.Nftables;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Linux.Routing.Firewall;

public sealed class PrefixIntervalTests
{
    [Theory]
    [InlineData("10.244.2.0", 24, "10.244.3.0")]
    [InlineData("10.255.0.0", 16, "11.0.0.0")]
    [InlineData("10.244.16.0", 20, "10.244.32.0")]
    [InlineData("10.244.2.7", 32, "10.244.2.8")]
    [InlineData("fd00:244:2::", 64, "fd00:244:2:1::")]
    [InlineData("255.255.255.0", 24, null)]
    [InlineData("0.0.0.0", 0, null)]
    public void TryMoveBehind_Prefix_YieldsTheNextAddress(string address, int length, string? expected)
    {
        var bytes = IPAddress.Parse(address).GetAddressBytes();
        Assert.Equal(expected is not null, PrefixInterval.TryMoveBehind(bytes, length));
        if (expected is not null)
        {
            Assert.Equal(IPAddress.Parse(expected), new IPAddress(bytes));
        }
    }

    [Fact]
    public void Merge_Nested_KeepsTheWidest() => Assert.Equal(
        Prefixes("10.244.2.0/23", "10.244.8.0/24", "fd00:244:2::/64"),
        PrefixSet.Merge(Prefixes("10.244.3.0/24", "10.244.2.0/23", "10.244.2.0/24", "fd00:244:2::/64", "10.244.8.0/24")));

    [Fact]
    public void Covers_AnyPrefixes_IsWhetherOneHoldsIt() =>
        Gen.Select(MeshGen.Prefix.List[0, 20], MeshGen.Prefix).Sample((prefixes, other) =>
    {
        var merged = PrefixSet.Merge(prefixes);
        Assert.All(
            prefixes.Append(other), prefix => Assert.Equal(
                prefixes.Any(wider => wider.Contains(prefix)), PrefixSet.Covers(merged, prefix)));
    });

    // What is written is what is read: the law of the set, whatever the order of the kernel's dump.
    [Fact]
    public void TryJoin_EndsOfMergedPrefixes_YieldsThem() => MeshGen.Prefix.Where(prefix => !prefix.IsIPv6).List[0, 20].Sample(prefixes =>
    {
        var merged = PrefixSet.Merge(prefixes);
        var ends = new List<(byte[] Address, bool IsEnd)>();
        foreach (var prefix in merged)
        {
            var address = prefix.Address.GetAddressBytes();
            ends.Insert(0, ([.. address], false));
            if (PrefixInterval.TryMoveBehind(address, prefix.Length))
            {
                ends.Insert(0, (address, true));
            }
        }

        Assert.Equal(merged, PrefixInterval.TryJoin(ends));
    });

    [Theory]
    [InlineData("10.244.2.0", "10.244.2.7")]
    [InlineData("10.244.2.1", "10.244.3.1")]
    public void TryJoin_IntervalThatIsNoPrefix_IsNull(string first, string behind) => Assert.Null(PrefixInterval.TryJoin(
        [(IPAddress.Parse(first).GetAddressBytes(), false), (IPAddress.Parse(behind).GetAddressBytes(), true)]));

    private static EquatableArray<IPPrefix> Prefixes(params string[] prefixes) => prefixes.Select(IPPrefix.Parse).ToEquatableArray();
}
