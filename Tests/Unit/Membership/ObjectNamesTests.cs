using System.Net;
using System.Text.RegularExpressions;
using CsCheck;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;

namespace Orleans.WireGuard.Tests.Unit.Membership;

/// <summary>Names are valid for any input, and different inputs have different names.</summary>
public sealed partial class ObjectNamesTests
{
    [Theory]
    [InlineData("owg", "owg")]
    [InlineData("prod-1", "prod-1")]
    [InlineData("Prod", "prod-5f56359ef1")]
    [InlineData("a/b c", "a-b-c-0af99a6091")]
    public void Cluster_Id_IsReadable(string clusterId, string name) => Assert.Equal(name, ObjectNames.Cluster(clusterId));

    [Fact]
    public void Cluster_AnyId_IsADnsLabel() => Gen.String[1, 300].Sample(id =>
    {
        var name = ObjectNames.Cluster(id);
        Assert.True(DnsLabel.IsValid(name), $"\"{id}\" became \"{name}\"");
    });

    [Fact]
    public void Lease_AnyIdAndAddress_IsAnObjectName() => Gen.Select(
        Gen.String[1, 300], Gen.OneOf(Gen.Byte.Array[4], Gen.Byte.Array[16]), Gen.Int[0, 65535], Gen.Int[0, int.MaxValue])
            .Sample((id, ip, port, generation) =>
    {
        var name = ObjectNames.Lease(id, SiloAddress.New(new IPAddress(ip), port, generation));
        Assert.Matches(Subdomain(), name);
        Assert.InRange(name.Length, 1, 253);
    });

    [Theory]
    [InlineData("fd00::1")]
    [InlineData("::1")]
    [InlineData("fe80::1%3")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")]
    public void Lease_IPv6_IsAnObjectName(string ip) =>
        Assert.Matches(Subdomain(), ObjectNames.Lease("owg", SiloAddress.New(IPAddress.Parse(ip), 11111, 42)));

    [Fact]
    public void Lease_SiloOfAnotherCluster_HasAnotherName()
    {
        // Joined without a separator that the parts cannot contain, both would be "x-a-b--c-80-1".
        var left = ObjectNames.Lease("x", SiloAddress.New(IPAddress.Parse("a:b::c"), 80, 1));
        var right = ObjectNames.Lease("x-a", SiloAddress.New(IPAddress.Parse("b::c"), 80, 1));
        Assert.NotEqual(left, right);
    }

    [Fact]
    public void Cluster_DifferentIds_DifferInName()
    {
        string[] ids = ["a", "A", "a_", "a-", "a.b", "a-b", new string('x', 63), new string('x', 64), new string('x', 65)];
        Assert.Equal(ids.Length, ids.Select(ObjectNames.Cluster).Distinct().Count());
    }

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z")]
    private static partial Regex Subdomain();
}
