using System.Buffers.Binary;
using System.Net;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Nodes by number: node 1 is <c>node-1</c> at 192.168.0.1 with the pod CIDR 10.0.1.0/24, and so on up to 65535.</summary>
internal static class TestMesh
{
    /// <summary>UDP port of slot 0.</summary>
    public const ushort ListenPort = 51871;

    /// <summary>When the tests play.</summary>
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>
    /// So many seconds after <see cref="Start"/>, by the clock that measures durations; the same moment as that of a FakeTimeProvider.
    /// </summary>
    public static SteadyTime SteadyAt(double seconds) => SteadyTime.Now(new FakeTimeProvider(Start)) + TimeSpan.FromSeconds(seconds);

    /// <summary>A key that ends with a number, so that keys sort by it.</summary>
    public static PublicKey Key(int number)
    {
        var bytes = new byte[PublicKey.Size];
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(PublicKey.Size - sizeof(int)), number);
        return new PublicKey(bytes);
    }

    /// <summary>The name of a node.</summary>
    public static string Name(int node) => $"node-{node}";

    /// <summary>Its underlay address.</summary>
    public static IPAddress Address(int node) => new([192, 168, (byte)(node >> 8), (byte)node]);

    /// <summary>Where slot 0 of it is reached.</summary>
    public static IPEndPoint Endpoint(int node) => new(Address(node), ListenPort);

    /// <summary>Its pod CIDR.</summary>
    public static IPPrefix PodCIDR(int node) => new(new IPAddress([10, (byte)(node >> 8), (byte)node, 0]), 24);

    /// <summary>The node in a roster.</summary>
    public static RosterNode RosterNode(int node) => new(Name(node), [Address(node)], [PodCIDR(node)]);

    /// <summary>A roster of some nodes.</summary>
    public static NodeRoster Roster(params IEnumerable<int> nodes) => NodeRoster.Of(nodes.Select(RosterNode));

    /// <summary>A store of the node whose membership it is.</summary>
    public static AnnouncementStore Store(
        INodeRosterSource roster, FakeMembership membership, TimeProvider timeProvider, OwnAnnouncement? own = null) => new(
            roster,
            membership.Members,
            own ?? new OwnAnnouncement(),
            new MeshClock(timeProvider, new RotationOptions().Period),
            timeProvider);

    /// <summary>The addresses of pods as the list of nodes tells them, and as nodes announce them.</summary>
    /// <param name="store">Who the nodes are.</param>
    /// <param name="roster">The same list.</param>
    /// <param name="members">Which of them is this one.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="source">What this node has; by default what the list says.</param>
    public static AddressStore Addresses(
        AnnouncementStore store, INodeRosterSource roster, MeshMembers members, TimeProvider timeProvider,
        IOwnPrefixSource? source = null) => new(
            store,
            source ?? new RosterPrefixSource(roster, members.LocalNodeName),
            members,
            new MeshClock(timeProvider, new RotationOptions().Period));

    /// <summary>What is told of <see cref="Addresses"/>.</summary>
    public static AddressReport Report(
        AddressStore addresses, AnnouncementStore store, INodeRosterSource roster, MeshMembers members, TimeProvider timeProvider) => new(
            addresses,
            new OwnAddresses(),
            new RosterPrefixSource(roster, members.LocalNodeName),
            roster,
            members,
            new MeshProtocol(OwnProtocol.Range, store, members, timeProvider));

    /// <summary>The status of a node that has done nothing yet.</summary>
    public static NodeStatus Status(int node) => new()
    {
        NodeName = Name(node),
        TakenAt = Start,
        Epoch = new Epoch(1),
        RotationPeriod = TimeSpan.FromSeconds(120),
        NextRotationAt = Start,
        Rotations = 0,
        Slots = [],
        Devices = [],
        Delivery = new DeliveryStatus(null, null, []),
        Refusals = [],
        Problems = [],
    };

    /// <summary>An announcement without a signature.</summary>
    /// <param name="node">By its number in this mesh.</param>
    /// <param name="key">Of slot 0; <see cref="Key"/> of the node's number if not given.</param>
    /// <param name="revision">Of its sequence, in epoch 1.</param>
    public static PeerAnnouncement Announce(int node, PublicKey? key = null, long revision = 0) => new()
    {
        NodeName = Name(node),
        Identity = default,
        Sequence = new AnnouncementSequence(new Epoch(1), revision),
        Slots = [new SlotAnnouncement(Slot.Zero, key ?? Key(node), new Epoch(1), ListenPort)],
        Endpoints = [Address(node)],
        AllowedIPs = [PodCIDR(node)],
        IssuedAt = Start,
    };

    /// <summary>A signed announcement; see <see cref="Announce(int, PublicKey?, long)"/>.</summary>
    public static PeerAnnouncement Announce(Identity identity, int node, PublicKey? key = null, long revision = 0) =>
        identity.Sign(Announce(node, key, revision));
}
