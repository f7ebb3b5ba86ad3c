using System.Net;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Tests.Support;

// The table of cases that every transport passes: creating, keys, deleting. Peers, errors and traffic are in the other parts.

namespace Orleans.WireGuard.Tests.EndToEnd.Devices;

/// <summary>
/// The table. It is written once against <see cref="IWireGuardClient"/>, and runs with the netlink client on the kernel (inside the guest of the
/// kernel test bed), with the UAPI client on wireguard-go, and with the fake that the other tests trust.
/// </summary>
internal static partial class DeviceCases
{
    private const ushort Port = 51871;

    /// <summary>All cases.</summary>
    public static IReadOnlyList<DeviceCase> All { get; } =
    [
        new("create_makes_an_empty_device", CreateMakesAnEmptyDevice),
        new("create_again_fails", CreateAgainFails),
        new("set_key_and_port", SetKeyAndPort),
        new("firewall_mark_is_set_and_cleared", FirewallMarkIsSetAndCleared),
        new("key_pair_is_adopted", KeyPairIsAdopted),
        new("empty_patch_changes_nothing", EmptyPatchChangesNothing),
        new("delete_removes_the_device", DeleteRemovesTheDevice),
        new("add_peers_reads_back_equal", AddPeersReadsBackEqual),
        new("update_leaves_what_it_does_not_name", UpdateLeavesWhatItDoesNotName),
        new("update_of_an_absent_peer_does_nothing", UpdateOfAnAbsentPeerDoesNothing),
        new("remove_peer", RemovePeer),
        new("allowed_ip_moves_between_peers", AllowedIPMovesBetweenPeers),
        new("allowed_ip_moves_when_the_removal_comes_first", AllowedIPMovesWhenTheRemovalComesFirst),
        new("one_allowed_ip_is_taken_off", OneAllowedIPIsTakenOff),
        new("allowed_ips_are_cleared", AllowedIPsAreCleared),
        new("keepalive_is_set_and_cleared", KeepaliveIsSetAndCleared),
        new("ipv6_endpoint_and_allowed_ips", IPv6EndpointAndAllowedIPs),
        new("ipv4_mapped_endpoint_becomes_ipv4", IPv4MappedEndpointBecomesIPv4),
        new("reset_begins_afresh_at_its_place", ResetBeginsAfreshAtItsPlace),
        new("reset_of_an_absent_peer_adds_it", ResetOfAnAbsentPeerAddsIt),
        new("patch_takes_effect_in_its_order", PatchTakesEffectInItsOrder),
        new("600_resets_over_several_messages", ManyResets),
        new("1200_peers_over_several_messages", ManyPeers),
        new("one_peer_with_3000_allowed_ips", ManyAllowedIPs),
        new("dump_is_whole_while_peers_change", DumpIsWholeWhilePeersChange, KernelOnly: true),
        new("configure_without_device_fails", ConfigureWithoutDeviceFails),
        new("name_taken_by_another_kind", NameTakenByAnotherKind, KernelOnly: true),
        new("port_taken", PortTaken, NeedsSystem: true),
        new("no_capability", NoCapability, KernelOnly: true),
        new("packets_over_ipv4_underlay", context => PacketsPass(context, node => node.IPv4), NeedsSystem: true),
        new("packets_over_ipv6_underlay", context => PacketsPass(context, node => node.IPv6), NeedsSystem: true),
        new("packets_pass_while_the_same_key_is_set", PacketsPassWhileTheSameKeyIsSet, NeedsSystem: true),
        new("packets_pass_again_after_a_reset", PacketsPassAgainAfterAReset, NeedsSystem: true),
    ];

    private static async Task CreateMakesAnEmptyDevice(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        Expect.Equal(null, await node.Client.TryGetDevice(node.DeviceName, token));

        await node.Client.CreateDevice(node.DeviceName, token);

        var device = await node.GetDevice(token);
        Expect.Equal(new Device(node.DeviceName, null, device.ListenPort, 0, []), device);
        Expect.True(await node.Client.GetKeyPair(node.DeviceName, token) is null);
        Expect.Equal(false, Expect.NotNull(await node.Links.TryGetLink(node.DeviceName, token)).IsUp);
    }

    private static async Task CreateAgainFails(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDevice(node.DeviceName, token);
        await Expect.Fails(() => node.Client.CreateDevice(node.DeviceName, token), Errno.EEXIST, Errno.EBUSY);
    }

    private static async Task SetKeyAndPort(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        using var keyPair = KeyPair.Create();
        await node.Client.CreateDevice(node.DeviceName, token);

        await node.Configure(new DevicePatch(keyPair, Port, []), token);

        Expect.Equal(new Device(node.DeviceName, keyPair.PublicKey, Port, 0, []), await node.GetDevice(token));

        using var other = KeyPair.Create();
        await node.Configure(new DevicePatch(other, null, []), token);
        Expect.Equal(new Device(node.DeviceName, other.PublicKey, Port, 0, []), await node.GetDevice(token));
    }

    private static async Task FirewallMarkIsSetAndCleared(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDevice(node.DeviceName, token);

        await node.Configure(DevicePatch.Empty with { FirewallMark = 0xe00 }, token);
        Expect.Equal(0xe00u, (await node.GetDevice(token)).FirewallMark);

        await node.Configure(DevicePatch.Empty with { FirewallMark = 0 }, token);
        Expect.Equal(0u, (await node.GetDevice(token)).FirewallMark);
    }

    private static async Task KeyPairIsAdopted(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        using var keyPair = KeyPair.Create();
        await node.Client.CreateDevice(node.DeviceName, token);
        await node.Configure(new DevicePatch(keyPair, null, [Peer(1)]), token);

        using var adopted = Expect.NotNull(await node.Client.GetKeyPair(node.DeviceName, token));

        Expect.Equal(keyPair.PublicKey, adopted.PublicKey);
    }

    private static async Task EmptyPatchChangesNothing(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        using var keyPair = KeyPair.Create();
        await node.Client.CreateDevice(node.DeviceName, token);
        await node.Configure(new DevicePatch(keyPair, Port, [Peer(1)]), token);
        var before = await node.GetDevice(token);

        await node.Configure(DevicePatch.Empty, token);

        Expect.Equal(before, await node.GetDevice(token));
    }

    private static async Task DeleteRemovesTheDevice(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDevice(node.DeviceName, token);

        await node.Client.DeleteDevice(node.DeviceName, token);
        await node.Client.DeleteDevice(node.DeviceName, token);

        Expect.Equal(null, await node.Client.TryGetDevice(node.DeviceName, token));
        Expect.Equal(null, await node.Links.TryGetLink(node.DeviceName, token));
    }

    // A peer that is made up: its key is on the curve by chance only, which nothing but a handshake would notice.
    private static PeerPatch Peer(int number) => new(
        Key(number),
        PeerChange.Add,
        new IPEndPoint(new IPAddress([198, 51, (byte)(number >> 8), (byte)number]), Port),
        TimeSpan.Zero,
        [IPPrefix.Parse($"10.{1 + (number >> 8)}.{number & 255}.0/24"), IPPrefix.Parse($"fd00:{number:x}::/64")]);

    private static PublicKey Key(int number)
    {
        var bytes = new byte[PublicKey.Size];
        new Random(number).NextBytes(bytes);
        return new PublicKey(bytes);
    }

    private static DevicePeer ToDevicePeer(PeerPatch peer) => new(
        peer.PublicKey,
        peer.Endpoint,
        [.. peer.AllowedIPs.GetValueOrDefault().Order()],
        peer.PersistentKeepaliveInterval ?? TimeSpan.Zero,
        null,
        0,
        0);

    private static EquatableArray<DevicePeer> Observed(params IEnumerable<PeerPatch> peers) =>
        peers.Select(ToDevicePeer).OrderBy(peer => peer.PublicKey).ToEquatableArray();

    private static async Task<EquatableArray<DevicePeer>> GetPeers(DeviceCaseNode node, CancellationToken cancellationToken) =>
        (await node.GetDevice(cancellationToken)).Peers;

    // asm-generic/errno-base.h, asm-generic/errno.h.
    private static class Errno
    {
        public const int EPERM = 1;
        public const int ENOENT = 2;
        public const int EBUSY = 16;
        public const int EEXIST = 17;
        public const int ENODEV = 19;
        public const int EOPNOTSUPP = 95;
        public const int EADDRINUSE = 98;
    }
}
