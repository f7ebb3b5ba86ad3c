using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Asks the other silos through which slot they send to this node, and remembers what they said.</summary>
/// <remarks>
/// A question and not a report: nothing has to be kept in step, a restarted silo asks afresh, and the answer is as new as the decision. It
/// costs one small call for each pair of nodes and rotation, and brings the other node's clock along. Not thread-safe: the NodeGrain owns
/// it.
/// </remarks>
internal sealed class PathSurvey(
    MeshMembers members, IPeerServiceClient client, MeshClock clock, MeshProtocol protocol, TimeProvider timeProvider)
{
    private readonly Dictionary<string, (PathStatus? Path, SteadyTime AskedAt)> _answers = new(StringComparer.Ordinal);

    /// <summary>Asks every other active silo at once.</summary>
    /// <param name="timeout">How long to wait for each.</param>
    /// <param name="cancellationToken">Ends the wait for all of them.</param>
    /// <returns>The names of the nodes that answered.</returns>
    public async Task<IReadOnlySet<string>> AskAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var answered = await Task.WhenAll(members.Others.Select(other => AskAsync(other.Silo, other.NodeName, timeout, cancellationToken)));
        return answered.OfType<string>().ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Forgets what nodes have said that are gone.</summary>
    /// <param name="isPresent">Whether a node is there.</param>
    public void Forget(Func<string, bool> isPresent)
    {
        foreach (var gone in _answers.Keys.Where(name => !isPresent(name)).ToList())
        {
            _answers.Remove(gone);
        }
    }

    /// <summary>
    /// What is known about every node that this one has a peer for. A peer whose announcement a restarted silo has not got yet goes by its
    /// key: nobody knows what it does, and it may depend on what is there.
    /// </summary>
    /// <param name="key">
    /// The key in question. What was said before it was made does not tell who uses it, wherever the clock was set meanwhile.
    /// </param>
    /// <param name="otherServes">The epoch that our key of the other slot serves; <see langword="null"/> without one.</param>
    /// <param name="agent">What the devices show.</param>
    /// <param name="answered">The nodes that have just answered.</param>
    /// <param name="heard">The nodes that hold our current announcement.</param>
    /// <param name="announcements">What is held, by node name.</param>
    public IReadOnlyList<PeerFacts> Facts(
        SlotKey key,
        Epoch? otherServes,
        AgentSnapshot agent,
        IReadOnlySet<string> answered,
        IReadOnlySet<string> heard,
        IReadOnlyDictionary<string, PeerAnnouncement> announcements)
    {
        var active = members.OtherNames;
        return [.. from peer in agent.Devices.SelectMany(device => device.Peers.Select(peer => (device.Slot, Peer: peer)))
            group peer by peer.Peer.NodeName ?? peer.Peer.PublicKey.ToShortString() into node
            let hasAnswered = answered.Contains(node.Key)
            let isKnown = _answers.TryGetValue(node.Key, out var said) && (hasAnswered || said.AskedAt >= key.HeldSince)
            let hasHandshake = node.Any(peer => peer.Slot == key.Slot && peer.Peer.LastHandshakeTime is not null)
            let isBehind = announcements.GetValueOrDefault(node.Key) is { } announcement
                && SlotLevel.MayMove(key.Slot, key.ServesEpoch, otherServes, announcement)
            select new PeerFacts(
                node.Key,
                active.Contains(node.Key) || node.Any(peer => peer.Peer.State == PeerState.Up),
                hasHandshake,
                hasAnswered,
                isKnown ? _answers[node.Key].Path : null,
                isKnown,
                agent.FindPath(node.Key)?.Slot,
                agent.Receptions.FirstOrDefault(reception => reception.NodeName == node.Key && reception.Slot == key.Slot)?.LastAt,
                active.Contains(node.Key) && (isBehind || (hasHandshake && !heard.Contains(node.Key))))];
    }

    private async Task<string?> AskAsync(SiloAddress silo, string nodeName, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var askedAt = SteadyTime.Now(timeProvider);
        try
        {
            var reply = await client.GetPathAsync(silo, members.LocalNodeName).WaitAsync(timeout, timeProvider, cancellationToken);
            protocol.Note(silo, nodeName, reply.Protocol);
            if (!clock.Note(nodeName, reply.AnsweredAt, askedAt) || reply.Path is { Slot.Index: >= Slot.Count })
            {
                // Nonsense tells nothing of where it sends.
                return null;
            }

            _answers[nodeName] = (reply.Path, askedAt);
            return nodeName;
        }
        catch (Exception)
        {
            // Whatever it is, the node has not said that it moved, and that is all that counts. Deliveries to it fail too, and say why.
            return null;
        }
    }
}
