using System.Globalization;
using System.Text.RegularExpressions;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Packets that a node neither sends nor receives, by an nftables table of the test's own in the node's namespace.</summary>
internal sealed partial class PacketBlock : IAsyncDisposable
{
    private const string Table = "inet owg_test";

    private readonly MeshHarness _mesh;
    private readonly NodePlan _node;

    private PacketBlock(MeshHarness mesh, NodePlan node) => (_mesh, _node) = (mesh, node);

    /// <summary>Blocks what silos tell each other.</summary>
    public static Task<PacketBlock> BlockSilosAsync(MeshHarness mesh, NodePlan node, CancellationToken cancellationToken) =>
        StartAsync(mesh, node, [$"tcp sport {MeshPlan.SiloPort}", $"tcp dport {MeshPlan.SiloPort}"], cancellationToken);

    /// <summary>Blocks WireGuard of one slot, which has the same port on every node.</summary>
    /// <param name="mesh">The mesh.</param>
    /// <param name="node">Where.</param>
    /// <param name="port">UDP port of the slot.</param>
    /// <param name="other">The only node to be cut off; <see langword="null"/> for all.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public static Task<PacketBlock> BlockSlotAsync(
        MeshHarness mesh, NodePlan node, int port, NodePlan? other, CancellationToken cancellationToken) =>
        StartAsync(
            mesh,
            node,
            [Invariant($"{Address("saddr", other)}udp dport {port}"), Invariant($"{Address("daddr", other)}udp dport {port}")],
            cancellationToken);

    /// <summary>How many packets it has blocked.</summary>
    public async Task<long> CountAsync(CancellationToken cancellationToken)
    {
        var text = (await _mesh.RunAsync(_node, cancellationToken, ["nft", "list", "table", .. Table.Split(' ')])).EnsureSuccess().Output;
        return PacketsPattern().Matches(text).Sum(match => long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
    }

    /// <summary>Lets packets through again.</summary>
    public async ValueTask DisposeAsync() =>
        await _mesh.RunAsync(_node, CancellationToken.None, ["nft", "delete", "table", .. Table.Split(' ')]);

    private static async Task<PacketBlock> StartAsync(
        MeshHarness mesh, NodePlan node, string[] matches, CancellationToken cancellationToken)
    {
        var lines = new List<string> { $"add table {Table}" };
        foreach (var hook in (string[])["input", "output"])
        {
            lines.Add($"add chain {Table} {hook} {{ type filter hook {hook} priority -300; }}");
            lines.AddRange(matches.Select(match => $"add rule {Table} {hook} {match} counter drop"));
        }

        (await mesh.RunAsync(node, cancellationToken, "nft", string.Join("; ", lines))).EnsureSuccess();
        return new PacketBlock(mesh, node);
    }

    private static string Address(string direction, NodePlan? node) => node is null ? "" : $"ip {direction} {node.Address} ";

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    [GeneratedRegex("packets ([0-9]+)")]
    private static partial Regex PacketsPattern();
}
