namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>One key of a node's device and when it was seen.</summary>
/// <param name="PublicKey">Base64.</param>
/// <param name="FirstSeen">First sample that showed it.</param>
/// <param name="LastSeen">Last sample that showed it.</param>
internal sealed record KeyUse(string PublicKey, DateTimeOffset FirstSeen, DateTimeOffset LastSeen);

/// <summary>The keys that each node's device used, in order, as sampled from outside.</summary>
internal sealed class KeyHistory
{
    private readonly Dictionary<string, List<KeyUse>> _uses = [];

    /// <summary>Adds a sample.</summary>
    public void Observe(DeviceSample sample)
    {
        foreach (var (node, device) in sample.Devices)
        {
            if (device.PublicKey is not { } key)
            {
                continue;
            }

            if (!_uses.TryGetValue(node, out var uses))
            {
                _uses[node] = uses = [];
            }

            if (uses.Count > 0 && uses[^1].PublicKey == key)
            {
                uses[^1] = uses[^1] with { LastSeen = sample.At };
            }
            else
            {
                uses.Add(new KeyUse(key, sample.At, sample.At));
            }
        }
    }

    /// <summary>The keys of a node, oldest first.</summary>
    public IReadOnlyList<KeyUse> Of(string node) => _uses.GetValueOrDefault(node) ?? [];

    /// <summary>How often a node's key was seen to change.</summary>
    public int Rotations(string node) => Math.Max(0, Of(node).Count - 1);

    /// <summary>Keys that came back after another one, or that two nodes used: short forms.</summary>
    public IReadOnlyList<string> Reused() =>
        [.. _uses.Values.SelectMany(u => u).GroupBy(u => u.PublicKey).Where(g => g.Count() > 1).Select(g => g.Key[..8])];

    /// <summary>The longest time that one key was in use, over all nodes.</summary>
    public TimeSpan LongestUse() => _uses.Values.SelectMany(u => u).Select(u => u.LastSeen - u.FirstSeen).DefaultIfEmpty().Max();
}
