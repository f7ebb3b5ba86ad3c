using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Silo.Security;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Serialization;

/// <summary>The largest answers of a large mesh fit into a message, with room to spare.</summary>
public sealed class MessageSizeTests(ITestOutputHelper output)
{
    private static readonly ServiceProvider Services = new ServiceCollection().AddSerializer().BuildServiceProvider();

    [Fact]
    public void Exchange_ThousandNodes_Fits()
    {
        Measure("digest of 1,000 nodes", DigestComparison.ToDigest(
            Announcements(1_000, PeerAnnouncement.MaxEndpoints, PeerAnnouncement.MaxAllowedIPs)));
        Measure("all of 1,000 usual announcements", DigestComparison.Compare(new MeshDigest([]), Announcements(1_000, 2, 2)));
        Measure(
            "all of 1,000 announcements of every size",
            DigestComparison.Compare(
                new MeshDigest([]), Announcements(1_000, PeerAnnouncement.MaxEndpoints, PeerAnnouncement.MaxAllowedIPs)));
        Measure("one announcement of every size", Announcements(
            1, PeerAnnouncement.MaxEndpoints, PeerAnnouncement.MaxAllowedIPs)["node-0"]);
    }

    [Fact]
    public void Exchange_LargestAddressesOfThousandNodes_Fits()
    {
        var held = Enumerable.Range(0, 1_000).ToDictionary(TestMesh.Name, node => new AddressAnnouncement
        {
            NodeName = TestMesh.Name(node),
            Identity = default,
            Sequence = AnnouncementSequence.At(TestMesh.Start),
            Prefixes = [.. Enumerable.Range(0, AddressAnnouncement.MaxPrefixes)
                .Select(number => new IPPrefix(new IPAddress(Bytes(node, number)), 128))],
            Signature = [.. new byte[64]],
        });
        var reply = AddressComparison.AddTo(
            new DigestReply([], []), new MeshDigest([]) { Protocol = OwnProtocol.Range }, held);
        output.WriteLine($"{reply.NewerAddresses.Count} announcements");
        Measure("the largest addresses that one reply has", reply);
        Measure("one announcement of addresses of every size", held["node-0"]);
    }

    private static Dictionary<string, PeerAnnouncement> Announcements(int count, int endpoints, int prefixes) => Enumerable.Range(0, count)
        .Select(node => TestMesh.Announce(node) with
        {
            Endpoints = [.. Enumerable.Range(0, endpoints).Select(number => new IPAddress(Bytes(node, number)))],
            AllowedIPs = [.. Enumerable.Range(0, prefixes).Select(number => new IPPrefix(new IPAddress(Bytes(node, number)), 128))],
        }).ToDictionary(announcement => announcement.NodeName);

    private static byte[] Bytes(int node, int number) =>
        [0xFD, 0, (byte)(node >> 8), (byte)node, (byte)(number >> 8), (byte)number, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

    private void Measure<T>(string what, T value)
    {
        var length = Services.GetRequiredService<Serializer<T>>().SerializeToArray(value).Length;
        output.WriteLine($"{what}: {length:N0} bytes");
        Assert.InRange(length, 1, ConnectionLimits.MaxBodyBytes);
    }
}
