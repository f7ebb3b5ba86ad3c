using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>
/// Counts rotations from outside: every public key that <c>wg</c> shows on any device of a node, however many devices there are.
/// </summary>
/// <remarks>Asked once a second or so it misses no key, because a key is on a device for a whole epoch or longer.</remarks>
internal sealed class RotationWatch
{
    private const string None = "(none)";

    private readonly MeshHarness _mesh;
    private readonly Dictionary<NodePlan, HashSet<string>> _seen;
    private readonly Dictionary<NodePlan, int> _atStart = [];

    /// <summary>Counts nothing before the first sample.</summary>
    public RotationWatch(MeshHarness mesh)
    {
        _mesh = mesh;
        _seen = mesh.Plan.Nodes.ToDictionary(node => node, _ => new HashSet<string>());
    }

    /// <summary>The rotations of the node that has had fewest.</summary>
    public int Fewest => _mesh.Plan.Nodes.Min(Rotations);

    /// <summary>New keys of a node since the first sample.</summary>
    public int Rotations(NodePlan node) => _seen[node].Count - _atStart.GetValueOrDefault(node, _seen[node].Count);

    /// <summary>The rotations of all nodes, for people.</summary>
    public string Describe() => string.Join(' ', _mesh.Plan.Nodes.Select(Rotations));

    /// <summary>Reads the devices of all nodes.</summary>
    public async Task SampleAsync(CancellationToken cancellationToken)
    {
        foreach (var node in _mesh.Plan.Nodes)
        {
            _seen[node].UnionWith(await ReadKeysAsync(_mesh, node, cancellationToken));
            _atStart.TryAdd(node, _seen[node].Count);
        }
    }

    /// <summary>The public keys that the devices of a node use now.</summary>
    public static async Task<IReadOnlyList<string>> ReadKeysAsync(MeshHarness mesh, NodePlan node, CancellationToken cancellationToken) =>
        Parse((await mesh.RunAsync(node, cancellationToken, "wg", "show", "all", "public-key")).EnsureSuccess().Output);

    /// <summary>Reads lines of a device, a tab and a key, or <c>(none)</c> for a device whose key was destroyed.</summary>
    public static IReadOnlyList<string> Parse(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')[^1]).Where(key => key != None)];
}
