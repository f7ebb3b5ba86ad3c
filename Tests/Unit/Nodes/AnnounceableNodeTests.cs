using System.Net;
using CsCheck;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>A sender keeps every limit that a receiver checks, whatever its object lists.</summary>
public sealed class AnnounceableNodeTests : IDisposable
{
    // Up to four times of what fits, of both families, with zones and repetitions; prefixes of every length.
    private static readonly Gen<RosterNode> Nodes = Gen.Select(
        Gen.OneOf(MeshGen.Address, Gen.Select(MeshGen.Address, Gen.Int[1, 9], WithZone)).Array[1, 4 * PeerAnnouncement.MaxEndpoints],
        Gen.OneOf(MeshGen.Prefix, MeshGen.CloseByPrefix).Array[0, 2 * PeerAnnouncement.MaxAllowedIPs],
        (addresses, prefixes) => new RosterNode(TestMesh.Name(3), [.. addresses], [.. prefixes.Order()]));

    private readonly Identity _identity = new();

    public void Dispose() => _identity.Dispose();

    [Fact]
    public void Of_AnyNode_IsTakenByEveryReceiver() => Nodes.Sample(
        node =>
        {
            var announceable = AnnounceableNode.Of(node);
            if (announceable.Endpoints.Count > 0)
            {
                var announcement = _identity.Sign(
                    TestMesh.Announce(3) with { Endpoints = announceable.Endpoints, AllowedIPs = announceable.AllowedIPs });
                var roster = NodeRoster.Of([node]);
                Assert.Equal(
                    AnnouncementVerdict.Taken, AnnouncementRules.Judge(announcement, AnnouncementIndex.Empty, roster, TestMesh.Start));
            }
            else
            {
                Assert.All(node.Addresses, address => Assert.Contains("%", address.ToString(), StringComparison.Ordinal));
            }

            // Nothing is left out without a word, and nothing while there is room.
            var listed = node.PodCIDRs.Distinct().ToList();
            Assert.True(listed.Count > PeerAnnouncement.MaxAllowedIPs || announceable.AllowedIPs.SequenceEqual(listed));
            Assert.Equal(Math.Min(listed.Count, PeerAnnouncement.MaxAllowedIPs), announceable.AllowedIPs.Count);
            Assert.Equal(announceable.Note is null, announceable.Endpoints.SequenceEqual(node.Addresses.Distinct()));
        },
        iter: 200);

    // Each row is a limit of AnnouncementRules.FindMalformation that what is listed can go beyond; the others are of values that the node
    // makes itself.
    [Theory]
    [InlineData(9, 0, 8, 0)]
    [InlineData(9, 1, 7, 1)]
    [InlineData(9, 9, 4, 4)]
    [InlineData(2, 9, 2, 6)]
    [InlineData(0, 9, 0, 8)]
    [InlineData(8, 0, 8, 0)]
    public void Of_MoreAddressesThanFit_AreTheFirstOfEachFamily(int fours, int sixes, int announcedFours, int announcedSixes)
    {
        var four = Enumerable.Range(1, fours).Select(number => IPAddress.Parse($"10.9.0.{number}")).ToList();
        var six = Enumerable.Range(1, sixes).Select(number => IPAddress.Parse($"fd09::{number:x}")).ToList();
        var announceable = AnnounceableNode.Of(TestMesh.RosterNode(3) with { Addresses = [.. four, .. six], Kind = "Node" });
        Assert.Equal([.. four.Take(announcedFours), .. six.Take(announcedSixes)], announceable.Endpoints);
        var left = fours + sixes - announcedFours - announcedSixes;
        Assert.Equal(
            left > 0, announceable.Note.ToText()?.Contains($"Node 'node-3' has {fours + sixes} addresses;", StringComparison.Ordinal) ?? false);
        Assert.Equal(left > 0, announceable.Note.ToText()?.Contains($" {left} left out: ", StringComparison.Ordinal) ?? false);
    }

    [Fact]
    public void Of_AddressWithAZone_IsLeftOut()
    {
        var zoned = IPAddress.Parse("fe80::1%7");
        var announceable = AnnounceableNode.Of(TestMesh.RosterNode(3) with { Addresses = [zoned, TestMesh.Address(3)] });
        Assert.Equal([TestMesh.Address(3)], announceable.Endpoints);
        Assert.Contains("1 left out: fe80::1%7", announceable.Note.ToText(), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_MorePodCIDRsThanFit_AreTheWidest()
    {
        var cidrs = Enumerable.Range(0, 300)
            .Select(number => IPPrefix.Parse($"10.{number / 256}.{number % 256}.0/{(number < 100 ? 25 : 24)}")).ToList();
        var announceable = AnnounceableNode.Of(TestMesh.RosterNode(3) with { PodCIDRs = [.. cidrs] });
        Assert.Equal(cidrs.Where(cidr => cidr.Length == 24).Concat(cidrs.Take(56)).Order(), announceable.AllowedIPs);
        Assert.Null(announceable.Problem);
        var many = Enumerable.Range(0, AddressAnnouncement.MaxPrefixes + 2)
            .Select(number => new IPPrefix(new IPAddress([10, 9, (byte)(number >> 8), (byte)number]), 32));
        var problem = AnnounceableNode.Of(TestMesh.RosterNode(3) with { PodCIDRs = [.. many] }).Problem.ToText();
        Assert.Contains("4098 pod CIDRs; the widest 4096 are announced", problem, StringComparison.Ordinal);
        Assert.Contains("2 left out", problem, StringComparison.Ordinal);
    }

    private static IPAddress WithZone(IPAddress address, int zone) =>
        address.GetAddressBytes() is { Length: 16 } bytes ? new IPAddress(bytes, zone) : address;
}
