using System.Net;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Tests.Support;

// Cases about peers and their allowed IPs.

namespace Orleans.WireGuard.Tests.EndToEnd.Devices;

internal static partial class DeviceCases
{
    private static async Task AddPeersReadsBackEqualAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        using var keyPair = KeyPair.Create();
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await node.ConfigureAsync(new DevicePatch(keyPair, Port, [Peer(1), Peer(2), Peer(3)]), token);

        Expect.Equal(
            new Device(node.DeviceName, keyPair.PublicKey, Port, 0, Observed(Peer(1), Peer(2), Peer(3))), await node.GetDeviceAsync(token));
    }

    private static async Task UpdateLeavesWhatItDoesNotNameAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([Peer(1), Peer(2)], token);
        var endpoint = IPEndPoint.Parse("203.0.113.9:999");

        await node.ConfigureAsync([new PeerPatch(Key(1), PeerChange.Update, endpoint)], token);

        Expect.Equal(Observed(Peer(1) with { Endpoint = endpoint }, Peer(2)), await GetPeersAsync(node, token));
    }

    private static async Task UpdateOfAnAbsentPeerDoesNothingAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([Peer(1)], token);

        await node.ConfigureAsync([Peer(2) with { Change = PeerChange.Update }], token);

        Expect.Equal(Observed(Peer(1)), await GetPeersAsync(node, token));
    }

    private static async Task RemovePeerAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([Peer(1), Peer(2)], token);

        await node.ConfigureAsync([new PeerPatch(Key(1), PeerChange.Remove), new PeerPatch(Key(9), PeerChange.Remove)], token);

        Expect.Equal(Observed(Peer(2)), await GetPeersAsync(node, token));
    }

    private static async Task AllowedIPMovesBetweenPeersAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([Peer(1), Peer(2)], token);
        var moved = Peer(1).AllowedIPs!.Value[0];

        await node.ConfigureAsync([new PeerPatch(Key(2), PeerChange.Update, AllowedIPs: [moved])], token);

        Expect.Equal(
            Observed(
                Peer(1) with { AllowedIPs = [Peer(1).AllowedIPs!.Value[1]] },
                Peer(2) with { AllowedIPs = [moved, .. Peer(2).AllowedIPs!.Value] }),
            await GetPeersAsync(node, token));
    }

    private static async Task AllowedIPMovesWhenTheRemovalComesFirstAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([Peer(1)], token);
        var successor = Peer(1) with { PublicKey = Key(2) };

        await node.ConfigureAsync([new PeerPatch(Key(1), PeerChange.Remove), successor], token);

        Expect.Equal(Observed(successor), await GetPeersAsync(node, token));
    }

    // The kernel of 6.1 cannot take a single allowed IP off: the list is replaced by the rest of it.
    private static async Task OneAllowedIPIsTakenOffAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([Peer(1), Peer(2)], token);
        EquatableArray<IPPrefix> rest = [Peer(1).AllowedIPs!.Value[1]];

        await node.ConfigureAsync([new PeerPatch(Key(1), PeerChange.Update, AllowedIPs: rest, ReplaceAllowedIPs: true)], token);

        Expect.Equal(Observed(Peer(1) with { AllowedIPs = rest }, Peer(2)), await GetPeersAsync(node, token));
    }

    private static async Task AllowedIPsAreClearedAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([Peer(1)], token);

        await node.ConfigureAsync([new PeerPatch(Key(1), PeerChange.Update, AllowedIPs: [], ReplaceAllowedIPs: true)], token);

        Expect.Equal(Observed(Peer(1) with { AllowedIPs = [] }), await GetPeersAsync(node, token));
    }

    private static async Task KeepaliveIsSetAndClearedAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        var interval = TimeSpan.FromSeconds(25);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([Peer(1)], token);

        await node.ConfigureAsync([new PeerPatch(Key(1), PeerChange.Update, PersistentKeepaliveInterval: interval)], token);
        Expect.Equal(Observed(Peer(1) with { PersistentKeepaliveInterval = interval }), await GetPeersAsync(node, token));

        await node.ConfigureAsync([new PeerPatch(Key(1), PeerChange.Update, PersistentKeepaliveInterval: TimeSpan.Zero)], token);
        Expect.Equal(Observed(Peer(1)), await GetPeersAsync(node, token));
    }

    private static async Task IPv6EndpointAndAllowedIPsAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        var peer = Peer(1) with
        {
            Endpoint = IPEndPoint.Parse("[2001:db8:1::7]:51872"),
            AllowedIPs = [IPPrefix.Parse("fd00::/16"), IPPrefix.Parse("fd00::1/128"), IPPrefix.Parse("::/0")],
        };
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await node.ConfigureAsync([peer], token);

        Expect.Equal(Observed(peer), await GetPeersAsync(node, token));
    }

    private static async Task IPv4MappedEndpointBecomesIPv4Async(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await node.ConfigureAsync([Peer(1) with { Endpoint = IPEndPoint.Parse("[::ffff:198.51.100.7]:51871") }], token);

        Expect.Equal(Observed(Peer(1) with { Endpoint = IPEndPoint.Parse("198.51.100.7:51871") }), await GetPeersAsync(node, token));
    }

    // What the entry does not name is gone; what belongs to other peers is not, and what it takes from one that comes before, it takes.
    private static async Task ResetBeginsAfreshAtItsPlaceAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([Peer(1) with { PersistentKeepaliveInterval = TimeSpan.FromSeconds(9) }, Peer(2), Peer(3)], token);
        var afresh =
            Peer(1) with { PersistentKeepaliveInterval = null, AllowedIPs = [Peer(1).AllowedIPs!.Value[0], Peer(2).AllowedIPs!.Value[0]] };
        var later = Peer(3) with { AllowedIPs = [.. Peer(3).AllowedIPs!.Value, Peer(1).AllowedIPs!.Value[0]] };

        await node.ConfigureAsync([afresh with { Change = PeerChange.Reset }, later with { Change = PeerChange.Update }], token);

        Expect.Equal(
            Observed(
                afresh with { AllowedIPs = [Peer(2).AllowedIPs!.Value[0]] },
                Peer(2) with { AllowedIPs = [Peer(2).AllowedIPs!.Value[1]] },
                later),
            await GetPeersAsync(node, token));
    }

    private static async Task ResetOfAnAbsentPeerAddsItAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await node.ConfigureAsync([Peer(1) with { Change = PeerChange.Reset }], token);

        Expect.Equal(Observed(Peer(1)), await GetPeersAsync(node, token));
    }

    // Each of these ends otherwise once somebody sorts it.
    private static async Task PatchTakesEffectInItsOrderAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        var remove = new PeerPatch(Key(1), PeerChange.Remove);
        (EquatableArray<PeerPatch> Patch, EquatableArray<DevicePeer> Expected)[] rows =
        [
            ([remove, Peer(1)], Observed(Peer(1))),
            ([Peer(1), remove], []),
            ([remove, Peer(1), remove], []),
            ([remove, Peer(1) with { Change = PeerChange.Update }], []),
            ([Peer(1) with { Change = PeerChange.Reset }, remove], []),
            ([remove, Peer(1) with { Change = PeerChange.Reset }], Observed(Peer(1))),
            ([Peer(2), remove, Peer(1), new PeerPatch(Key(2), PeerChange.Remove)], Observed(Peer(1))),
        ];
        foreach (var (patch, expected) in rows)
        {
            await node.Client.CreateDeviceAsync(node.DeviceName, token);
            await node.ConfigureAsync([Peer(1)], token);
            await node.ConfigureAsync(patch, token);
            Expect.Equal(expected, await GetPeersAsync(node, token));
            await node.Client.DeleteDeviceAsync(node.DeviceName, token);
        }
    }

    private static async Task ManyResetsAsync(DeviceCaseContext context)
    {
        const int Count = 600;
        var (node, token) = (context.A, context.CancellationToken);
        var peers = Enumerable.Range(1, Count).Select(Peer).ToArray();
        var keepalive = TimeSpan.FromSeconds(9);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([.. peers.Select(peer => peer with { PersistentKeepaliveInterval = keepalive })], token);

        await node.ConfigureAsync([.. peers.Select(peer => peer with { Change = PeerChange.Reset })], token);

        Expect.Equal(Observed(peers), await GetPeersAsync(node, token));
    }

    private static async Task ManyPeersAsync(DeviceCaseContext context)
    {
        const int Count = 1200;
        var (node, token) = (context.A, context.CancellationToken);
        var peers = Enumerable.Range(1, Count).Select(Peer).ToArray();
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await node.ConfigureAsync([.. peers], token);
        Expect.Equal(Observed(peers), await GetPeersAsync(node, token));

        await node.ConfigureAsync([.. peers[..(Count / 2)].Select(peer => new PeerPatch(peer.PublicKey, PeerChange.Remove))], token);
        Expect.Equal(Observed(peers[(Count / 2)..]), await GetPeersAsync(node, token));
    }

    // Too many for one message, in both directions: the peer is continued.
    private static async Task ManyAllowedIPsAsync(DeviceCaseContext context)
    {
        const int Count = 1500;
        var (node, token) = (context.A, context.CancellationToken);
        var peer = Peer(1) with
        {
            AllowedIPs =
            [
                .. Enumerable.Range(0, Count).Select(i => IPPrefix.Parse($"10.{i >> 8}.{i & 255}.0/24")),
                .. Enumerable.Range(0, Count).Select(i => IPPrefix.Parse($"fd00:{i:x}::/32")),
            ],
        };
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await node.ConfigureAsync([Peer(3000), peer, Peer(3001)], token);
        Expect.Equal(Observed(Peer(3000), peer, Peer(3001)), await GetPeersAsync(node, token));

        // The rest of a replacement must not replace its beginning.
        await node.ConfigureAsync([peer with { Change = PeerChange.Update, ReplaceAllowedIPs = true }], token);
        Expect.Equal(Observed(Peer(3000), peer, Peer(3001)), await GetPeersAsync(node, token));
    }

    // Two peers share one prefix in turn. A torn dump would show it twice or not at all.
    private static async Task DumpIsWholeWhilePeersChangeAsync(DeviceCaseContext context)
    {
        const int Rounds = 200;
        const int Dumps = 40;
        var (node, token) = (context.A, context.CancellationToken);
        var shared = IPPrefix.Parse("10.255.0.0/16");
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync([.. Enumerable.Range(1, 400).Select(Peer)], token);
        await node.ConfigureAsync([new PeerPatch(Key(1), PeerChange.Update, AllowedIPs: [shared])], token);

        // A thread starts in the namespace of the thread that starts it.
        var writer = new TaskCompletionSource();
        new Thread(() =>
        {
            try
            {
                for (var round = 0; round < Rounds; round++)
                {
                    node.ConfigureAsync([new PeerPatch(Key(1 + (399 * (round % 2))), PeerChange.Update, AllowedIPs: [shared])], token)
                        .GetAwaiter().GetResult();
                }

                writer.SetResult();
            }
            catch (Exception e)
            {
                writer.SetException(e);
            }
        }).Start();

        for (var dump = 0; dump < Dumps; dump++)
        {
            var peers = await GetPeersAsync(node, token);
            Expect.Equal(400, peers.Count);
            Expect.Equal(1, peers.Count(peer => peer.AllowedIPs.Contains(shared)));
        }

        await writer.Task.WaitAsync(token);
    }
}
