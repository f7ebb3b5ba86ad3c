namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>One key of a node's devices and when it was seen.</summary>
/// <param name="PublicKey">Base64.</param>
/// <param name="FirstSeen">First sample that showed it.</param>
/// <param name="LastSeen">Last sample that showed it.</param>
internal sealed record KeyUse(string PublicKey, DateTimeOffset FirstSeen, DateTimeOffset LastSeen);

/// <summary>The keys that each node's device used, in order, as sampled from outside.</summary>
internal sealed class KeyHistory
{
    private readonly Dictionary<string, List<KeyUse>> _uses = [];

    // Where in the list the key is that each device of a node had in the latest sample.
    private readonly Dictionary<(string Node, int Slot), int> _current = [];

    /// <summary>Adds a sample.</summary>
    public void Observe(DeviceSample sample)
    {
        foreach (var (node, devices) in sample.Devices)
        {
            if (!_uses.TryGetValue(node, out var uses))
            {
                _uses[node] = uses = [];
            }

            for (var slot = 0; slot < devices.Count; slot++)
            {
                if (devices[slot].PublicKey is not { } key)
                {
                    // Destroyed. If the same key were to show up again, it would be one that came back.
                    _current.Remove((node, slot));
                }
                else if (_current.TryGetValue((node, slot), out var index) && uses[index].PublicKey == key)
                {
                    uses[index] = uses[index] with { LastSeen = sample.At };
                }
                else
                {
                    _current[(node, slot)] = uses.Count;
                    uses.Add(new KeyUse(key, sample.At, sample.At));
                }
            }
        }
    }

    /// <summary>The keys of a node, oldest first.</summary>
    public IReadOnlyList<KeyUse> Of(string node) => _uses.GetValueOrDefault(node) ?? [];

    /// <summary>How many new keys a node's devices were seen to get, those of the first sample not counted.</summary>
    public int Rotations(string node) => Of(node).Count(use => use.FirstSeen > Of(node)[0].FirstSeen);

    /// <summary>Keys that came back after another one, or that two nodes used: short forms.</summary>
    public IReadOnlyList<string> Reused() =>
        [.. _uses.Values.SelectMany(u => u).GroupBy(u => u.PublicKey).Where(g => g.Count() > 1).Select(g => g.Key[..8])];

    /// <summary>The longest time that one key was in use, over all nodes.</summary>
    public TimeSpan LongestUse() => _uses.Values.SelectMany(u => u).Select(u => u.LastSeen - u.FirstSeen).DefaultIfEmpty().Max();
}
