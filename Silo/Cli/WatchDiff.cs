using System.Globalization;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>What happened between two snapshots of a mesh. Pure.</summary>
internal static class WatchDiff
{
    /// <summary>The events, by node and in the order in which a rotation brings them.</summary>
    /// <param name="before">The earlier snapshot.</param>
    /// <param name="after">The later one; events bear its time.</param>
    public static IReadOnlyList<WatchEvent> Compare(MeshSnapshot before, MeshSnapshot after)
    {
        var earlier = before.Nodes.ToDictionary(node => node.NodeName, StringComparer.Ordinal);
        var later = after.Nodes.ToDictionary(node => node.NodeName, StringComparer.Ordinal);
        var (heldBefore, held) = (new KeyHolders(before), new KeyHolders(after));
        return [.. earlier.Keys.Union(later.Keys).Order(StringComparer.Ordinal).SelectMany(name =>
            CompareNode(after.TakenAt, name, heldBefore, earlier.GetValueOrDefault(name)?.Status, held, later.GetValueOrDefault(name)))];
    }

    /// <summary>
    /// The later snapshot with the last known answer of every node that gave none, so that what a node did while it was silent for a moment
    /// is told when it answers again.
    /// </summary>
    /// <param name="known">What was remembered so far.</param>
    /// <param name="after">The later snapshot.</param>
    public static IReadOnlyDictionary<string, NodeStatus> Remember(IReadOnlyDictionary<string, NodeStatus> known, MeshSnapshot after)
    {
        var result = new Dictionary<string, NodeStatus>(known, StringComparer.Ordinal);
        foreach (var node in after.Nodes.Where(node => node.Status is not null))
        {
            result[node.NodeName] = node.Status!;
        }

        return result;
    }

    /// <summary>The events of nodes that answer again, against what they said last.</summary>
    /// <param name="known">What each node said last.</param>
    /// <param name="before">The earlier snapshot.</param>
    /// <param name="after">The later one.</param>
    public static IReadOnlyList<WatchEvent> Compare(IReadOnlyDictionary<string, NodeStatus> known, MeshSnapshot before, MeshSnapshot after)
    {
        var filled = before with
        {
            Nodes = before.Nodes.Select(node => node.Status is null && known.TryGetValue(node.NodeName, out var status)
                ? node with { Status = status }
                : node).ToEquatableArray(),
        };
        var silent = before.Nodes.Where(node => node.Status is null).Select(node => node.NodeName).ToHashSet(StringComparer.Ordinal);
        var seen = Compare(before, after);
        var missed = Compare(filled, after).Where(e => silent.Contains(e.NodeName) && e.Event != WatchEventKind.SiloGone);
        return [.. seen.Concat(missed).DistinctBy(e => e).OrderBy(e => e.NodeName, StringComparer.Ordinal)];
    }

    private static IEnumerable<WatchEvent> CompareNode(
        DateTimeOffset at, string name, KeyHolders heldBefore, NodeStatus? was, KeyHolders held, MeshNode? node)
    {
        var now = node?.Status;
        if (was is not null && now is null)
        {
            return [new WatchEvent(at, WatchEventKind.SiloGone, name) { Detail = node is null
                ? "nobody knows the node any more"
                : NodeProblemText.Describe(node.Problems) ?? "no answer" }];
        }

        if (now is null)
        {
            return [];
        }

        return was is null
            ? [new WatchEvent(at, WatchEventKind.SiloBack, name)]
            :
            [
                .. CompareKeys(at, name, was, now),
                .. CompareAgreement(at, name, heldBefore, was, held, now),
                .. ComparePaths(at, name, was, now),
                .. CompareRotation(at, name, was.Rotation, now.Rotation, now.TakenAt),
            ];
    }

    private static IEnumerable<WatchEvent> CompareKeys(DateTimeOffset at, string name, NodeStatus was, NodeStatus now)
    {
        foreach (var slot in now.Slots.Where(slot => Find(was, slot.Slot)?.PublicKey != slot.PublicKey))
        {
            yield return new WatchEvent(at, WatchEventKind.ReKeyed, name) { Slot = slot.Slot, Epoch = slot.KeyEpoch, Key = slot.PublicKey };
        }

        foreach (var slot in was.Slots.Where(slot => Find(now, slot.Slot) is null))
        {
            yield return new WatchEvent(
                at, WatchEventKind.Destroyed, name)
            { Slot = slot.Slot, Epoch = slot.KeyEpoch, Key = slot.PublicKey };
        }
    }

    private static IEnumerable<WatchEvent> CompareAgreement(
        DateTimeOffset at, string name, KeyHolders heldBefore, NodeStatus was, KeyHolders held, NodeStatus now)
    {
        foreach (var slot in now.Slots)
        {
            var holders = held.Find(name, slot);
            // With nobody else there before, a node that comes back holding the key is no news.
            var agreedBefore = Find(was, slot.Slot)?.PublicKey == slot.PublicKey
                && heldBefore.Find(name, slot) is var former && former.Holding == former.Others;
            if (!agreedBefore && holders.Others > 0 && holders.Holding == holders.Others)
            {
                yield return new WatchEvent(at, WatchEventKind.Agreed, name)
                {
                    Slot = slot.Slot,
                    Epoch = slot.KeyEpoch,
                    Key = slot.PublicKey,
                    Detail = string.Create(CultureInfo.InvariantCulture, $"all {holders.Others} other nodes that answer"),
                };
            }
        }
    }

    private static IEnumerable<WatchEvent> ComparePaths(DateTimeOffset at, string name, NodeStatus was, NodeStatus now)
    {
        var former = was.Paths.DistinctBy(path => path.NodeName).ToDictionary(path => path.NodeName, StringComparer.Ordinal);
        return from path in now.Paths
               let old = former.GetValueOrDefault(path.NodeName)
               where old?.Slot != path.Slot || old.PeerKey != path.PeerKey
               select new WatchEvent(at, WatchEventKind.Moved, name)
               {
                   Peer = path.NodeName,
                   Slot = path.Slot,
                   Key = path.PeerKey,
                   Detail = path.IsProven ? null : "no handshake yet",
               };
    }

    private static IEnumerable<WatchEvent> CompareRotation(
        DateTimeOffset at, string name, RotationStatus was, RotationStatus now, DateTimeOffset takenAt)
    {
        foreach (var lagging in now.Lagging.Where(lagging => !was.Lagging.Contains(lagging)))
        {
            yield return new WatchEvent(at, WatchEventKind.Late, name)
            {
                Peer = lagging.NodeName,
                Detail = RotationReasonText.Describe(lagging),
            };
        }

        // What changes in a problem without changing what people read of it is no news.
        if (now.Problem is { } problem && RotationReasonText.Describe(problem) is var text
            && (was.Problem is not { } former || text != RotationReasonText.Describe(former)))
        {
            yield return new WatchEvent(at, WatchEventKind.Problem, name) { Detail = text };
        }

        if (now.FrozenUntil is { } until && until != was.FrozenUntil)
        {
            yield return new WatchEvent(at, WatchEventKind.Frozen, name)
            {
                Detail = string.Create(
                    CultureInfo.InvariantCulture, $"until {until.UtcDateTime:u}, for {Format.Duration(until - takenAt)}"),
            };
        }
        else if (now.FrozenUntil is null && was.FrozenUntil is not null)
        {
            yield return new WatchEvent(at, WatchEventKind.Unfrozen, name);
        }
    }

    private static SlotStatus? Find(NodeStatus status, Slot slot) => status.Slots.FirstOrDefault(candidate => candidate.Slot == slot);
}
