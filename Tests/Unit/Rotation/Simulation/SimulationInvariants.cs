using System.Collections.Immutable;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>What must hold at every moment of a <see cref="Simulation"/>.</summary>
internal sealed class SimulationInvariants(Simulation simulation)
{
    private readonly HashSet<(int From, int To)> _connected = [];
    private readonly Dictionary<SiloAddress, ImmutableDictionary<string, PeerAnnouncement>> _held = [];
    private readonly Dictionary<SiloAddress, AnnouncementSequence> _own = [];

    /// <summary>The first thing that was broken; <see langword="null"/> if nothing.</summary>
    public string? Violation { get; set; }

    /// <summary>How often everything was checked.</summary>
    public long Checks { get; private set; }

    /// <summary>Checks everything.</summary>
    public void Check()
    {
        Checks++;
        foreach (var from in simulation.Present)
        {
            foreach (var to in simulation.Present)
            {
                if (from != to)
                {
                    CheckPair(from, to);
                }
            }

            if (from.Silo is { } silo)
            {
                CheckSequences(silo);
            }
        }
    }

    /// <summary>
    /// What is still to be done after the last fault, in a sentence; <see langword="null"/> if all pairs are on keys that were made since.
    /// </summary>
    /// <param name="since">When the last fault ended.</param>
    public string? FindUnfinished(TimeSpan since)
    {
        foreach (var from in simulation.Present)
        {
            foreach (var to in simulation.Present.Where(to => to != from))
            {
                if (FindUnfinished(from, to, since) is { } unfinished)
                {
                    return unfinished;
                }
            }
        }

        return null;
    }

    private string? FindUnfinished(SimulatedMachine from, SimulatedMachine to, TimeSpan since)
    {
        var own = to.Silo?.Own.Latest?.Sequence;
        if (from.Silo?.Store.Announcements.GetValueOrDefault(to.Name)?.Sequence is var held && held != own)
        {
            return held > own
                ? $"I6: {to.Name} announces {own}, and {from.Name} holds {held} of it"
                : $"liveness: {from.Name} holds {held} of {to.Name}, which announces {own}";
        }

        var isNew = from.Route(to) is { } slot && FindProblem(from, to) is null
            && simulation.Tunnels.KeyMadeAt[from.Device(slot)!.PublicKey!.Value] > since
            && simulation.Tunnels.KeyMadeAt[to.Device(slot)!.PublicKey!.Value] > since;
        return isNew || !simulation.HasUsableClocks
            ? null
            : $"liveness: {from.Name} still sends to {to.Name} with a key of before {since.TotalSeconds} s. {FindProblem(from, to)}";
    }

    private void CheckPair(SimulatedMachine from, SimulatedMachine to)
    {
        var problem = FindProblem(from, to);
        if (problem is null)
        {
            // Only when both ends have completed a handshake do both know that the pair is connected.
            _ = to.Peer(from.Route(to)!.Value, from)!.LastHandshakeTime is not null && _connected.Add((from.Number, to.Number));
        }
        else if (!simulation.IsRenumbered && _connected.Contains((from.Number, to.Number)))
        {
            Violation ??= $"{problem} ({from.Name} to {to.Name} at {simulation.Now.TotalSeconds:0.00} s)";
        }
    }

    // Why a packet that is sent now would not be decrypted.
    private string? FindProblem(SimulatedMachine from, SimulatedMachine to)
    {
        if (from.Route(to) is not { } slot || from.Device(slot)?.PublicKey is not { } local)
        {
            return "I3: there is no route, or its slot has no key";
        }

        if (from.Peer(slot, to) is not { } peer)
        {
            return $"I3: slot {slot}, which carries the traffic, has no peer";
        }

        return to.Device(slot)?.PublicKey != peer.PublicKey ? $"I3: the key of slot {slot} was replaced or destroyed while it was used"
            : to.Peer(slot, from)?.PublicKey != local ? $"I3: the other end does not know the key of slot {slot}, which carries the traffic"
            : peer.LastHandshakeTime is null ? $"I2: slot {slot}, which carries the traffic, has completed no handshake"
            : simulation.IsTalking(from, to) && simulation.Tunnels.IsLost(local, peer.PublicKey)
                ? $"no packet lost: what is sent through slot {slot} has no session at the other end"
            : null;
    }

    private void CheckSequences(SimulatedSilo silo)
    {
        var announcements = silo.Store.Announcements;
        var before = _held.GetValueOrDefault(silo.Address);
        if (!ReferenceEquals(before, announcements))
        {
            _held[silo.Address] = announcements;
            foreach (var announcement in announcements.Values)
            {
                if (before?.GetValueOrDefault(announcement.NodeName) is { } older && older.Sequence > announcement.Sequence)
                {
                    Violation ??= $"I6: {silo.Machine.Name} held {older.Sequence} of {announcement.NodeName} and now holds {announcement.Sequence}";
                }
            }
        }

        if (silo.Own.Latest?.Sequence is { } own && own != _own.GetValueOrDefault(silo.Address))
        {
            if (own < _own.GetValueOrDefault(silo.Address))
            {
                Violation ??= $"I6: {silo.Machine.Name} announced {_own[silo.Address]} and then {own}";
            }

            _own[silo.Address] = own;
        }
    }
}
