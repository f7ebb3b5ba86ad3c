using System.Net;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Tests.Support;

// The table of cases that every transport passes: creating, keys, deleting. Peers, errors and traffic are in the other parts.

namespace Orleans.WireGuard.Tests.EndToEnd.Devices;

/// <summary>
/// The table. It is written once against <see cref="IWireGuardClient"/>, and runs with the netlink client on the kernel (inside the guest
/// of the kernel test bed), with the UAPI client on wireguard-go, and with the fake that the other tests trust.
/// </summary>
internal static partial class DeviceCases
{
    private const ushort Port = 51871;

    /// <summary>All cases.</summary>
    public static IReadOnlyList<DeviceCase> All { get; } =
    [
        new("create_makes_an_empty_device", CreateMakesAnEmptyDeviceAsync),
        new("create_again_fails", CreateAgainFailsAsync),
        new("set_key_and_port", SetKeyAndPortAsync),
        new("firewall_mark_is_set_and_cleared", FirewallMarkIsSetAndClearedAsync),
        new("key_pair_is_adopted", KeyPairIsAdoptedAsync),
        new("empty_patch_changes_nothing", EmptyPatchChangesNothingAsync),
        new("delete_removes_the_device", DeleteRemovesTheDeviceAsync),
        new("add_peers_reads_back_equal", AddPeersReadsBackEqualAsync),
        new("update_leaves_what_it_does_not_name", UpdateLeavesWhatItDoesNotNameAsync),
        new("update_of_an_absent_peer_does_nothing", UpdateOfAnAbsentPeerDoesNothingAsync),
        new("remove_peer", RemovePeerAsync),
        new("allowed_ip_moves_between_peers", AllowedIPMovesBetweenPeersAsync),
        new("allowed_ip_moves_when_the_removal_comes_first", AllowedIPMovesWhenTheRemovalComesFirstAsync),
        new("one_allowed_ip_is_taken_off", OneAllowedIPIsTakenOffAsync),
        new("allowed_ips_are_cleared", AllowedIPsAreClearedAsync),
        new("keepalive_is_set_and_cleared", KeepaliveIsSetAndClearedAsync),
        new("ipv6_endpoint_and_allowed_ips", IPv6EndpointAndAllowedIPsAsync),
        new("ipv4_mapped_endpoint_becomes_ipv4", IPv4MappedEndpointBecomesIPv4Async),
        new("reset_begins_afresh_at_its_place", ResetBeginsAfreshAtItsPlaceAsync),
        new("reset_of_an_absent_peer_adds_it", ResetOfAnAbsentPeerAddsItAsync),
        new("patch_takes_effect_in_its_order", PatchTakesEffectInItsOrderAsync),
        new("600_resets_over_several_messages", ManyResetsAsync),
        new("1200_peers_over_several_messages", ManyPeersAsync),
        new("one_peer_with_3000_allowed_ips", ManyAllowedIPsAsync),
        new("dump_is_whole_while_peers_change", DumpIsWholeWhilePeersChangeAsync, KernelOnly: true),
        new("configure_without_device_fails", ConfigureWithoutDeviceFailsAsync),
        new("name_taken_by_another_kind", NameTakenByAnotherKindAsync, KernelOnly: true),
        new("port_taken", PortTakenAsync, NeedsSystem: true),
        new("no_capability", NoCapabilityAsync, KernelOnly: true),
        new("packets_over_ipv4_underlay", context => PacketsPassAsync(context, node => node.IPv4), NeedsSystem: true),
        new("packets_over_ipv6_underlay", context => PacketsPassAsync(context, node => node.IPv6), NeedsSystem: true),
        new("packets_pass_while_the_same_key_is_set", PacketsPassWhileTheSameKeyIsSetAsync, NeedsSystem: true),
        new("packets_pass_again_after_a_reset", PacketsPassAgainAfterAResetAsync, NeedsSystem: true),
    ];

    private static async Task CreateMakesAnEmptyDeviceAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        Expect.Equal(null, await node.Client.TryGetDeviceAsync(node.DeviceName, token));

        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        var device = await node.GetDeviceAsync(token);
        Expect.Equal(new Device(node.DeviceName, null, device.ListenPort, 0, []), device);
        Expect.True(await node.Client.GetKeyPairAsync(node.DeviceName, token) is null);
        Expect.Equal(false, Expect.NotNull(await node.Links.TryGetLinkAsync(node.DeviceName, token)).IsUp);
    }

    private static async Task CreateAgainFailsAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await Expect.FailsAsync(() => node.Client.CreateDeviceAsync(node.DeviceName, token), Errno.EEXIST, Errno.EBUSY);
    }

    private static async Task SetKeyAndPortAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        using var keyPair = KeyPair.Create();
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await node.ConfigureAsync(new DevicePatch(keyPair, Port, []), token);

        Expect.Equal(new Device(node.DeviceName, keyPair.PublicKey, Port, 0, []), await node.GetDeviceAsync(token));

        using var other = KeyPair.Create();
        await node.ConfigureAsync(new DevicePatch(other, null, []), token);
        Expect.Equal(new Device(node.DeviceName, other.PublicKey, Port, 0, []), await node.GetDeviceAsync(token));
    }

    private static async Task FirewallMarkIsSetAndClearedAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await node.ConfigureAsync(DevicePatch.Empty with { FirewallMark = 0xe00 }, token);
        Expect.Equal(0xe00u, (await node.GetDeviceAsync(token)).FirewallMark);

        await node.ConfigureAsync(DevicePatch.Empty with { FirewallMark = 0 }, token);
        Expect.Equal(0u, (await node.GetDeviceAsync(token)).FirewallMark);
    }

    private static async Task KeyPairIsAdoptedAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        using var keyPair = KeyPair.Create();
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync(new DevicePatch(keyPair, null, [Peer(1)]), token);

        using var adopted = Expect.NotNull(await node.Client.GetKeyPairAsync(node.DeviceName, token));

        Expect.Equal(keyPair.PublicKey, adopted.PublicKey);
    }

    private static async Task EmptyPatchChangesNothingAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        using var keyPair = KeyPair.Create();
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync(new DevicePatch(keyPair, Port, [Peer(1)]), token);
        var before = await node.GetDeviceAsync(token);

        await node.ConfigureAsync(DevicePatch.Empty, token);

        Expect.Equal(before, await node.GetDeviceAsync(token));
    }

    private static async Task DeleteRemovesTheDeviceAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await node.Client.DeleteDeviceAsync(node.DeviceName, token);
        await node.Client.DeleteDeviceAsync(node.DeviceName, token);

        Expect.Equal(null, await node.Client.TryGetDeviceAsync(node.DeviceName, token));
        Expect.Equal(null, await node.Links.TryGetLinkAsync(node.DeviceName, token));
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

    private static async Task<EquatableArray<DevicePeer>> GetPeersAsync(DeviceCaseNode node, CancellationToken cancellationToken) =>
        (await node.GetDeviceAsync(cancellationToken)).Peers;

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
