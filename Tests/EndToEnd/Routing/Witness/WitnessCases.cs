using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Tests.EndToEnd.Routing.Witness.WitnessPair;

// The table of cases for the witness. They run on this machine's kernel and on the kernel in the guest.

namespace Orleans.WireGuard.Tests.EndToEnd.Routing.Witness;

/// <summary>One case of the table.</summary>
/// <param name="Name">Unique; words joined by underscores.</param>
/// <param name="Run">Throws if it fails.</param>
internal sealed record WitnessCase(string Name, Func<CancellationToken, Task> Run);

/// <summary>The table.</summary>
internal static class WitnessCases
{
    /// <summary>
    /// All cases: what leaves is counted once, whatever the node's address is on, and the other end counts the same where it arrives; and
    /// where packets leave past netfilter, that is known.
    /// </summary>
    public static IReadOnlyList<WitnessCase> All { get; } =
    [
        .. UnderlayKind.All.Select(
            kind => new WitnessCase($"counts_on_{kind.Name}", token => CountsEveryClassAsync(kind, hasEgressHook: true, token))),
        .. UnderlayKind.All.Select(
            kind => new WitnessCase($"partial_counts_on_{kind.Name}", token => CountsEveryClassAsync(kind, hasEgressHook: false, token))),
        new("link_sends_past_netfilter", token => TellsThatPacketsArePastItAsync(isDevice: false, token)),
        new("device_sends_past_netfilter", token => TellsThatPacketsArePastItAsync(isDevice: true, token)),
    ];

    private static async Task CountsEveryClassAsync(UnderlayKind kind, bool hasEgressHook, CancellationToken token)
    {
        using var pair = await CreateAsync(kind, hasEgressHook, token);
        var isPartial = await pair.WitnessAsync(pair.A, pair.SpecOfA, token);
        await pair.WitnessAsync(pair.B, pair.SpecOfB, token);
        Expect.Equal(!hasEgressHook, isPartial);

        await pair.SendAsync(7, "10.244.1.7", "10.244.2.7", 9);
        await pair.SendAsync(5, "fd00:244:1::7", "fd00:244:2::7", 9);
        await pair.SendAsync(3, "192.168.7.1", "192.168.7.2", VxlanPort, Vxlan("10.244.1.7", "10.244.2.7"));
        await pair.SendAsync(2, "192.168.7.1", "192.168.7.2", VxlanPort, Vxlan("fd00:244:1::7", "fd00:244:2::7"));
        await pair.SendAsync(4, "192.168.7.1", "192.168.7.2", GenevePort, Geneve("10.244.1.7", "10.244.2.7", optionWords: 0));
        await pair.SendAsync(1, "192.168.7.1", "192.168.7.2", GenevePort, Geneve("10.244.1.7", "10.244.2.7", optionWords: 3));
        await pair.SendAsync(3, "192.168.7.1", "192.168.7.2", TunnelPort);
        await pair.SendAsync(1, "192.168.7.1", "192.168.7.2", TunnelPort + 1);
        await pair.SendAsync(2, "fd00:7::1", "fd00:7::2", TunnelPort);

        // A pod's own packet to that port is in clear, and a node's to another one nothing of ours.
        await pair.SendAsync(2, "10.244.1.7", "10.244.2.7", TunnelPort);
        await pair.SendAsync(1, "fd00:244:1::7", "fd00:244:2::7", TunnelPort);
        await pair.SendAsync(20, "192.168.7.1", "192.168.7.2", 9);

        // None of these is from a pod to a pod of the other node.
        await pair.SendAsync(20, "192.168.7.1", "10.244.2.7", 9);
        await pair.SendAsync(20, "10.244.1.7", "192.168.7.2", 9);
        await pair.SendAsync(20, "192.168.7.1", "192.168.7.2", VxlanPort, Vxlan("10.244.1.7", "10.9.9.9"));
        await pair.SendAsync(20, "192.168.7.1", "192.168.7.2", VxlanPort, [1, 2, 3]);
        await pair.SendAsync(20, "192.168.7.1", "192.168.7.2", 4789, Vxlan("10.244.1.7", "10.244.2.7"));

        await ExpectsAsync(pair, pair.A, new WitnessCounts(Clear: 15, ClearEncapsulated: 10, Tunnel: 6), token);
        await ExpectsAsync(pair, pair.B, new WitnessCounts(ArrivedClear: 15, ArrivedClearEncapsulated: 10, ArrivedTunnel: 6), token);
    }

    // The kernel leaves out netfilter's egress for what was redirected at an ingress. The link counts it, and so it is known to be missing.
    private static async Task TellsThatPacketsArePastItAsync(bool isDevice, CancellationToken token)
    {
        using var pair = await CreateAsync(UnderlayKind.Cable, hasEgressHook: true, token);
        var link = isDevice ? pair.DeviceOfA : pair.LinkOfA;
        await pair.WitnessAsync(pair.A, pair.SpecOfA, token);
        await pair.RedirectAsync(link, token);
        var (spots, now) = (new BlindSpots(), SteadyTime.Now(TimeProvider.System));
        await NoteAsync();
        foreach (var _ in Enumerable.Range(0, 2))
        {
            await SendAsync("10.244.1.7", isDevice ? "10.77.0.1" : "10.244.2.7");
        }

        Expect.True(spots.Current.Count == 0, $"what the stack sends is seen: {string.Join(", ", spots.Current)}");

        await SendAsync("10.79.0.1", "10.79.0.2");
        await SendAsync("10.79.0.1", "10.79.0.2");
        Expect.True(spots.Current is [{ SeenBytes: < 1000 } spot]
            && spot.Link == link.Name, $"what came past netfilter is missing: {string.Join(", ", spots.Current)}");

        // What is redirected leaves a moment after it was sent.
        async Task SendAsync(string source, string destination)
        {
            var before = (await pair.TrafficAsync(link, token)).SentPackets;
            await pair.SendAsync(BlindSpots.EnoughPackets, source, destination, 9, new byte[1000]);
            for (var attempt = 0; attempt < 50
                && (await pair.TrafficAsync(link, token)).SentPackets < before + BlindSpots.EnoughPackets; attempt++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, token);
            }

            await NoteAsync();
        }

        async Task NoteAsync()
        {
            now += BlindSpots.Window;
            var sent = await pair.TrafficAsync(link, token);
            var state = Expect.NotNull(await pair.ReadAsync(pair.A, token));
            spots.Note(link.Name, isDevice
                ? LinkCounting.Device
                : LinkCounting.Exact, sent, state.Seen.Single(count => count.Index == link.Index), now);
        }
    }

    // On a busy machine what was sent arrives a moment later.
    private static async Task ExpectsAsync(WitnessPair pair, NamespaceThread node, WitnessCounts expected, CancellationToken token)
    {
        var counts = Expect.NotNull(await pair.ReadAsync(node, token)).Counts;
        for (var attempt = 0; attempt < 20 && counts != expected; attempt++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, token);
            counts = Expect.NotNull(await pair.ReadAsync(node, token)).Counts;
        }

        Expect.Equal(expected, counts);
    }
}
