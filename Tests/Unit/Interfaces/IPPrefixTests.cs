using System.Net;
using CsCheck;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Interfaces;

/// <summary>CIDR notation as Kubernetes and <c>wg(8)</c> read it, and what prefixes have to do with each other.</summary>
public sealed class IPPrefixTests
{
    [Theory]
    [InlineData("10.244.1.0/24", "10.244.1.0/24")]
    [InlineData("0.0.0.0/0", "0.0.0.0/0")]
    [InlineData("192.168.100.1", "192.168.100.1/32")]
    [InlineData("192.168.100.1/32", "192.168.100.1/32")]
    [InlineData("::/0", "::/0")]
    [InlineData("fd00:1::/64", "fd00:1::/64")]
    [InlineData("FD00:0001:0:0::/64", "fd00:1::/64")]
    [InlineData("fd00::1", "fd00::1/128")]
    [InlineData("2001:db8::ff00:42:8329/128", "2001:db8::ff00:42:8329/128")]
    public void Parse_Prefix_PrintsInOneForm(string text, string expected)
    {
        Assert.Equal(expected, IPPrefix.Parse(text).ToString());
        Assert.True(IPPrefix.TryParse(text, out var prefix));
        Assert.Equal(IPPrefix.Parse(text), prefix);
    }

    [Theory]
    [InlineData("10.244.1.7/24", "did you mean 10.244.1.0/24?")]
    [InlineData("10.244.1.0/8", "did you mean 10.0.0.0/8?")]
    [InlineData("0.0.0.1/0", "did you mean 0.0.0.0/0?")]
    [InlineData("fd00::1/64", "did you mean fd00::/64?")]
    public void Parse_HostBits_SuggestsThePrefix(string text, string hint)
    {
        Assert.False(IPPrefix.TryParse(text, out _));
        var message = Assert.Throws<FormatException>(() => IPPrefix.Parse(text)).Message;
        Assert.StartsWith($"'{text}' is not a CIDR", message, StringComparison.Ordinal);
        Assert.EndsWith(hint, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10.244.1.0/33", "from 0 to 32")]
    [InlineData("fd00::/129", "from 0 to 128")]
    public void Parse_LengthOutOfRange_SaysTheRange(string text, string range)
    {
        Assert.False(IPPrefix.TryParse(text, out _));
        Assert.Contains(range, Assert.Throws<FormatException>(() => IPPrefix.Parse(text)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/24")]
    [InlineData("node-1")]
    [InlineData("10.244.1.0/")]
    [InlineData("10.244.1.0/-1")]
    [InlineData("10.244.1.0/+8")]
    [InlineData("10.244.1.0/ 24")]
    [InlineData("10.244.1.0/24/24")]
    [InlineData("10.244.1.0/255.255.255.0")]
    [InlineData("10.244.1.0/99999999999")]
    [InlineData("10.244.1.0:80/24")]
    [InlineData("10.1")]
    [InlineData("10.1/16")]
    [InlineData("1")]
    [InlineData("167772160/8")]
    public void Parse_NoPrefix_SaysWhatWasExpected(string text)
    {
        Assert.False(IPPrefix.TryParse(text, out _));
        Assert.Contains(
            "expected an address and a length",
            Assert.Throws<FormatException>(() => IPPrefix.Parse(text)).Message, StringComparison.Ordinal);
    }

    // The framework reads these as 8.0.0.0, 10.0.0.0 and ::1; whoever wrote them meant something else, or reads them in another way.
    [Theory]
    [InlineData("010.0.0.0/8")]
    [InlineData("0x0a.0.0.0/8")]
    [InlineData("10.00.0.0/8")]
    [InlineData("[::1]/128")]
    [InlineData("[::1]:80/128")]
    [InlineData("fe80::1%0/128")]
    [InlineData("fe80::1%1/128")]
    [InlineData("fe80::%1/64")]
    public void Parse_WhatOnlyTheFrameworkReads_IsRefused(string text)
    {
        Assert.False(IPPrefix.TryParse(text, out _));
        Assert.Throws<FormatException>(() => IPPrefix.Parse(text));
    }

    [Fact]
    public void Parse_WhatWasPrinted_IsThePrefix() =>
        MeshGen.Prefix.Sample(prefix => Assert.Equal(prefix, IPPrefix.Parse(prefix.ToString())));

    [Fact]
    public void Constructor_HostBits_IsRefused() => Assert.Throws<ArgumentException>(() => new IPPrefix(IPAddress.Parse("10.0.0.1"), 8));

    [Theory]
    [InlineData("10.0.0.0", -1)]
    [InlineData("10.0.0.0", 33)]
    [InlineData("fd00::", 129)]
    public void Constructor_LengthOutOfRange_IsRefused(string address, int length) =>
        Assert.Throws<ArgumentException>(() => new IPPrefix(IPAddress.Parse(address), length));

    [Fact]
    public void Host_AnyAddress_HoldsItAlone() => Gen.Select(MeshGen.Address, MeshGen.Address).Sample((address, other) =>
    {
        var host = IPPrefix.Host(address);
        Assert.Equal(address, host.Address);
        Assert.True(host.Contains(address));
        Assert.Equal(address.Equals(other), host.Contains(other));
    });

    [Fact]
    public void Contains_AddressOfTheOtherFamily_IsFalse()
    {
        Assert.False(IPPrefix.Parse("0.0.0.0/0").Contains(IPAddress.IPv6Any));
        Assert.False(IPPrefix.Parse("::/0").Contains(IPAddress.Any));
        Assert.False(IPPrefix.Parse("::/0").Overlaps(IPPrefix.Parse("0.0.0.0/0")));
    }

    [Fact]
    public void Contains_Prefixes_IsWhatItsBitsSay() => Gen.Select(MeshGen.CloseByPrefix, MeshGen.CloseByPrefix).Sample((left, right) =>
    {
        Assert.Equal(left.IsIPv6 == right.IsIPv6 && Bits(right).StartsWith(Bits(left), StringComparison.Ordinal), left.Contains(right));
        Assert.Equal(left.Contains(right) && right.Contains(left), left == right);
        if (left.Contains(right))
        {
            Assert.True(left.Contains(right.Address));
        }
    });

    [Fact]
    public void Shorten_AnyLength_HoldsThePrefix() => Gen.Select(MeshGen.Prefix, Gen.Int[0, 128]).Sample((prefix, length) =>
    {
        length = Math.Min(length, prefix.Length);
        var shorter = prefix.Shorten(length);
        Assert.Equal((Bits(prefix)[..length], length, prefix.IsIPv6), (Bits(shorter), shorter.Length, shorter.IsIPv6));
        Assert.True(shorter.Contains(prefix));
        Assert.Throws<ArgumentOutOfRangeException>(() => prefix.Shorten(prefix.Length + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => prefix.Shorten(-1));
    });

    [Fact]
    public void Overlaps_Prefixes_IsSymmetricAndMeansOneHoldsTheOther() =>
        Gen.Select(MeshGen.CloseByPrefix, MeshGen.CloseByPrefix).Sample((left, right) =>
        {
            Assert.True(left.Overlaps(left));
            Assert.Equal(left.Overlaps(right), right.Overlaps(left));
            Assert.Equal(left.Contains(right) || right.Contains(left), left.Overlaps(right));
        });

    [Fact]
    public void CompareTo_Prefixes_IsATotalOrder() =>
        Gen.Select(MeshGen.CloseByPrefix, MeshGen.CloseByPrefix, MeshGen.CloseByPrefix).Sample((a, b, c) =>
        {
            Assert.Equal(Math.Sign(a.CompareTo(b)), -Math.Sign(b.CompareTo(a)));
            Assert.Equal(a == b, a.CompareTo(b) == 0);
            Assert.True(!(a <= b && b <= c) || a <= c);
            Assert.Equal((a.CompareTo(b) > 0, a.CompareTo(b) < 0), (a > b, a < b));
        });

    [Fact]
    public void CompareTo_Golden_IsFamilyThenAddressThenLength()
    {
        string[] sorted =
            ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24", "255.0.0.0/8", "::/0", "::1/128", "fd00::/8", "fd00::/64"];
        Assert.Equal(sorted, sorted.Reverse().Select(IPPrefix.Parse).Order().Select(prefix => prefix.ToString()));
    }

    private static string Bits(IPPrefix prefix) =>
        string.Concat(prefix.Address.GetAddressBytes().Select(part => Convert.ToString(part, 2).PadLeft(8, '0')))[..prefix.Length];
}
