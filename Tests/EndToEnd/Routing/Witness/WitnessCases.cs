// The table of cases for the witness. They run on this machine's kernel and on the kernel in the guest.
using Orleans.WireGuard.Silo.Routing.Witness;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Tests.EndToEnd.Routing.Witness.WitnessPair;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing.Witness;

/// <summary>One case of the table.</summary>
/// <param name="Name">Unique; words joined by underscores.</param>
/// <param name="Run">Throws if it fails.</param>
internal sealed record WitnessCase(string Name, Func<CancellationToken, Task> Run);

/// <summary>The table.</summary>
internal static class WitnessCases
{
    /// <summary>All cases: what leaves is counted once, whatever the node's address is on, and the other end counts the same where it arrives.</summary>
    public static IReadOnlyList<WitnessCase> All { get; } =
    [
        .. UnderlayKind.All.Select(kind => new WitnessCase($"counts_on_{kind.Name}", token => CountsEveryClass(kind, hasEgressHook: true, token))),
        .. UnderlayKind.All.Select(kind => new WitnessCase($"partial_counts_on_{kind.Name}", token => CountsEveryClass(kind, hasEgressHook: false, token))),
    ];

    private static async Task CountsEveryClass(UnderlayKind kind, bool hasEgressHook, CancellationToken token)
    {
        using var pair = await Create(kind, hasEgressHook, token);
        var isPartial = await pair.Witness(pair.A, Spec(pair.LinkOfA, isMirrored: false), token);
        await pair.Witness(pair.B, Spec(pair.LinkOfB, isMirrored: true), token);
        Expect.Equal(!hasEgressHook, isPartial);

        await pair.Send(7, "10.244.1.7", "10.244.2.7", 9);
        await pair.Send(5, "fd00:244:1::7", "fd00:244:2::7", 9);
        await pair.Send(3, "192.168.7.1", "192.168.7.2", VxlanPort, Vxlan("10.244.1.7", "10.244.2.7"));
        await pair.Send(2, "192.168.7.1", "192.168.7.2", VxlanPort, Vxlan("fd00:244:1::7", "fd00:244:2::7"));
        await pair.Send(4, "192.168.7.1", "192.168.7.2", GenevePort, Geneve("10.244.1.7", "10.244.2.7", optionWords: 0));
        await pair.Send(1, "192.168.7.1", "192.168.7.2", GenevePort, Geneve("10.244.1.7", "10.244.2.7", optionWords: 3));
        await pair.Send(6, "192.168.7.1", "192.168.7.2", TunnelPort);

        // None of these is from a pod to a pod of the other node.
        await pair.Send(20, "192.168.7.1", "10.244.2.7", 9);
        await pair.Send(20, "10.244.1.7", "192.168.7.2", 9);
        await pair.Send(20, "192.168.7.1", "192.168.7.2", VxlanPort, Vxlan("10.244.1.7", "10.9.9.9"));
        await pair.Send(20, "192.168.7.1", "192.168.7.2", VxlanPort, [1, 2, 3]);
        await pair.Send(20, "192.168.7.1", "192.168.7.2", 4789, Vxlan("10.244.1.7", "10.244.2.7"));

        await Expects(pair, pair.A, new WitnessCounts(Clear: 12, ClearEncapsulated: 10, Tunnel: 6), token);
        await Expects(pair, pair.B, new WitnessCounts(ArrivedClear: 12, ArrivedClearEncapsulated: 10, ArrivedTunnel: 6), token);
    }

    // On a busy machine what was sent arrives a moment later.
    private static async Task Expects(WitnessPair pair, NamespaceThread node, WitnessCounts expected, CancellationToken token)
    {
        var counts = Expect.NotNull(await pair.Read(node, token)).Counts;
        for (var attempt = 0; attempt < 20 && counts != expected; attempt++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, token);
            counts = Expect.NotNull(await pair.Read(node, token)).Counts;
        }

        Expect.Equal(expected, counts);
    }
}
