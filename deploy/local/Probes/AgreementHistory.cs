using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>For how long each ordered pair disagreed about a key.</summary>
/// <remarks>
/// The nodes of a sample are not read at one instant, and a rotation takes its time to reach everyone: a single sample that
/// disagrees says nothing. What counts is how long a disagreement lasted over consecutive samples.
/// </remarks>
internal sealed class AgreementHistory(MeshPlan plan)
{
    private readonly Dictionary<NodePair, DateTimeOffset> _since = [];
    private readonly Dictionary<NodePair, TimeSpan> _longest = [];

    /// <summary>Pairs compared so far, over all samples.</summary>
    public int Comparisons { get; private set; }

    /// <summary>
    /// Whether <paramref name="holder"/> has the keys that <paramref name="owner"/> uses, in every slot in which both have a key. There
    /// must be such a slot; one that is idle on either side has no peers.
    /// </summary>
    public static bool Agrees(DeviceSample sample, NodePlan holder, NodePlan owner)
    {
        var inUse = sample.Of(owner.Name).Zip(sample.Of(holder.Name))
            .Where(pair => pair is { First.PublicKey: not null, Second.PublicKey: not null }).ToList();
        return inUse.Count > 0
            && inUse.TrueForAll(pair => pair.Second.PeerFor(owner.PodCIDR.ToString())?.PublicKey == pair.First.PublicKey);
    }

    /// <summary>Adds a sample. A pair whose device could not be read disagrees.</summary>
    public void Observe(DeviceSample sample)
    {
        foreach (var (holder, owner) in plan.OrderedPairs)
        {
            var pair = new NodePair(holder.Name, owner.Name);
            Comparisons++;
            if (Agrees(sample, holder, owner))
            {
                _since.Remove(pair);
                continue;
            }

            var since = _since.TryGetValue(pair, out var earlier) ? earlier : sample.At;
            _since[pair] = since;
            var lasted = sample.At - since;
            if (lasted > Longest(pair))
            {
                _longest[pair] = lasted;
            }
        }
    }

    /// <summary>The longest disagreement of a pair so far.</summary>
    public TimeSpan Longest(NodePair pair) => _longest.GetValueOrDefault(pair);

    /// <summary>Pairs that disagreed in the latest sample.</summary>
    public IReadOnlyCollection<NodePair> Current => _since.Keys;
}
