using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Agent;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>
/// The sessions of all devices, and the handshakes that make them, as WireGuard has them (whitepaper, section 6): one side initiates, the
/// other may send in the new session only when something has come through it, a session is renewed by its initiator after 120 s and over
/// after 180 s, initiations are 5 s apart, two that cross are both lost, and what is removed or gets a new key has no session.
/// </summary>
internal sealed class SimulatedTunnels(Simulation simulation)
{
    private const int MaxAttempts = 18;

    private static readonly TimeSpan RekeyTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RekeyAfterTime = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan RekeyAfterReceiving = TimeSpan.FromSeconds(165);
    private static readonly TimeSpan RejectAfterTime = TimeSpan.FromSeconds(180);
    private static readonly TimeSpan Crossing = TimeSpan.FromMilliseconds(40);

    private readonly Dictionary<PublicKey, (SimulatedMachine Machine, Slot Slot)> _owners = [];
    private readonly Dictionary<(PublicKey Local, PublicKey Peer), Tunnel> _tunnels = [];
    private long _sessions;

    /// <summary>When each key was first on a device.</summary>
    public Dictionary<PublicKey, TimeSpan> KeyMadeAt { get; } = [];

    /// <summary>Handshakes that both ends completed.</summary>
    public long Handshakes { get; private set; }

    /// <summary>Who has, or had, a key.</summary>
    public SimulatedMachine? FindOwner(PublicKey key) => _owners.TryGetValue(key, out var owner) ? owner.Machine : null;

    /// <summary>Does to the sessions what a device was just told.</summary>
    public void Follow(SimulatedMachine machine, Slot slot, DevicePatch patch)
    {
        if (patch.KeyPair is { } pair)
        {
            _owners[pair.PublicKey] = (machine, slot);
            KeyMadeAt[pair.PublicKey] = simulation.Now;
        }

        if (machine.Device(slot)?.PublicKey is not { } local)
        {
            return;
        }

        foreach (var peer in patch.Peers.Where(peer => peer.Change is PeerChange.Remove or PeerChange.Reset))
        {
            _ = _tunnels.Remove((local, peer.PublicKey));
        }

        var started = patch.Peers.Where(peer => peer.PersistentKeepaliveInterval > TimeSpan.Zero).Select(peer => peer.PublicKey);
        foreach (var peer in started.OrderBy(peer => FindOwner(peer)?.Number))
        {
            SendKeepalive(machine, slot, local, peer);
        }
    }

    /// <summary>Sends what pods send, and keepalives, once for every pair.</summary>
    public void SendTraffic()
    {
        foreach (var from in simulation.Present)
        {
            foreach (var to in simulation.Present)
            {
                if (from != to && from.Route(to) is { } slot && simulation.IsTalking(from, to))
                {
                    SendData(from, to, slot);
                }
            }

            foreach (var slot in SlotDevices.Slots(Slot.Count))
            {
                if (from.Device(slot) is { PublicKey: { } local } device)
                {
                    foreach (var peer in device.Peers.Where(peer => peer.PersistentKeepaliveInterval > TimeSpan.Zero)
                        .OrderBy(peer => FindOwner(peer.PublicKey)?.Number))
                    {
                        SendKeepalive(from, slot, local, peer.PublicKey);
                    }
                }
            }
        }
    }

    /// <summary>Whether what one end encrypts is lost, because the other end has no such session.</summary>
    public bool IsLost(PublicKey local, PublicKey peer)
    {
        var session = Find(local, peer).Usable(simulation.Now);
        return session is not null && !Find(peer, local).Accepts(session.Number);
    }

    /// <summary>How much has come in for a peer of a device that its counters do not show yet; forgets it.</summary>
    public long TakeReceived(PublicKey local, PublicKey peer)
    {
        if (!_tunnels.TryGetValue((local, peer), out var tunnel))
        {
            return 0;
        }

        var received = tunnel.Received;
        tunnel.Received = 0;
        return received;
    }

    private void SendData(SimulatedMachine from, SimulatedMachine to, Slot slot)
    {
        if (from.Device(slot)?.PublicKey is not { } local || from.Peer(slot, to)?.PublicKey is not { } peer)
        {
            return;
        }

        if (Transmit(from, slot, local, peer) && to.Device(slot)?.PublicKey == peer)
        {
            Find(peer, local).Received++;
        }
    }

    private void SendKeepalive(SimulatedMachine from, Slot slot, PublicKey local, PublicKey peer)
    {
        if (simulation.Broken != SimulationBreak.NobodyStarts)
        {
            _ = Transmit(from, slot, local, peer);
        }
    }

    // Whether it came through. Without a session a handshake is begun, and packets wait for it.
    private bool Transmit(SimulatedMachine from, Slot slot, PublicKey local, PublicKey peer)
    {
        var tunnel = Find(local, peer);
        if (tunnel.Usable(simulation.Now) is not { } session)
        {
            Initiate(from, slot, local, peer, attempt: 1);
            return false;
        }

        if (session.IsInitiator && simulation.Now - session.At > RekeyAfterTime)
        {
            Initiate(from, slot, local, peer, attempt: 1);
        }

        var other = Find(peer, local);
        if (!Exists(peer, local) || !other.Accepts(session.Number))
        {
            return false;
        }

        Confirm(peer, local, session.Number);
        if (other.Current is { IsInitiator: true } theirs && simulation.Now - theirs.At > RekeyAfterReceiving)
        {
            var (machine, otherSlot) = _owners[peer];
            Initiate(machine, otherSlot, peer, local, attempt: 1);
        }

        return true;
    }

    private void Initiate(SimulatedMachine from, Slot slot, PublicKey local, PublicKey peer, int attempt)
    {
        var tunnel = Find(local, peer);
        if (!Exists(local, peer) || attempt > MaxAttempts || simulation.Now - tunnel.InitiatedAt < RekeyTimeout)
        {
            return;
        }

        tunnel.InitiatedAt = simulation.Now;
        var number = ++_sessions;
        tunnel.Initiated = number;
        var isLost = simulation.IsHandshakeLost(from, FindOwner(peer));
        simulation.Schedule(simulation.Latency(), () => Respond(tunnel, local, peer, number, isLost));
        simulation.Schedule(RekeyTimeout + simulation.Jitter(TimeSpan.FromMilliseconds(300)), () =>
        {
            if (_tunnels.GetValueOrDefault((local, peer)) == tunnel && tunnel.Initiated == number)
            {
                Initiate(from, slot, local, peer, attempt + 1);
            }
        });
    }

    private void Respond(Tunnel initiator, PublicKey local, PublicKey peer, long number, bool isLost)
    {
        if (isLost || !Exists(peer, local))
        {
            return;
        }

        var responder = Find(peer, local);
        if (responder.Initiated != 0 && simulation.Now - responder.InitiatedAt < Crossing)
        {
            simulation.Trace(() => $"handshakes of {simulation.Describe(local)} and {simulation.Describe(peer)} cross");
            return;
        }

        responder.Next = new Session(number, simulation.Now, IsInitiator: false);
        simulation.Schedule(simulation.Latency(), () =>
        {
            if (_tunnels.GetValueOrDefault((local, peer)) != initiator || !Exists(local, peer) || initiator.Initiated != number)
            {
                return;
            }

            initiator.Initiated = 0;
            initiator.Use(new Session(number, simulation.Now, IsInitiator: true));
            Complete(local, peer);
            // The packet that tells the responder may get lost, but then the next one tells it.
            simulation.Schedule(simulation.Latency(), () => Confirm(peer, local, number));
        });
    }

    // The first packet in a new session tells the responder that the initiator has it.
    private void Confirm(PublicKey local, PublicKey peer, long number)
    {
        if (Exists(local, peer) && Find(local, peer) is { Next: { } next } tunnel && next.Number == number)
        {
            tunnel.Next = null;
            tunnel.Use(next);
            Handshakes++;
            Complete(local, peer);
        }
    }

    private void Complete(PublicKey local, PublicKey peer)
    {
        var (machine, slot) = _owners[local];
        machine.Kernel.ChangePeer(DeviceNames.Default.Of(slot), peer, known => known with { LastHandshakeTime = machine.Time });
        simulation.Trace(() => $"{machine.Name} has shaken hands with {simulation.Describe(peer)} on slot {slot}");
        simulation.Check();
        machine.Silo?.Agent.NoticeSoon();
    }

    // Whether the device that has, or had, this key has it now, and this peer.
    private bool Exists(PublicKey local, PublicKey peer) => _owners.TryGetValue(local, out var owner)
        && !owner.Machine.IsGone
        && owner.Machine.Device(owner.Slot) is { } device && device.PublicKey == local
        && device.Peers.Any(known => known.PublicKey == peer);

    private Tunnel Find(PublicKey local, PublicKey peer)
    {
        if (!_tunnels.TryGetValue((local, peer), out var tunnel))
        {
            _tunnels[(local, peer)] = tunnel = new Tunnel();
        }

        return tunnel;
    }

    private sealed record Session(long Number, TimeSpan At, bool IsInitiator);

    private sealed class Tunnel
    {
        public Session? Previous { get; private set; }

        public Session? Current { get; private set; }

        public Session? Next { get; set; }

        public long Initiated { get; set; }

        public TimeSpan InitiatedAt { get; set; } = TimeSpan.MinValue / 2;

        public long Received { get; set; }

        public void Use(Session session) => (Previous, Current) = (Current, session);

        public Session? Usable(TimeSpan now) => Current is { } session && now - session.At < RejectAfterTime ? session : null;

        public bool Accepts(long number) => Current?.Number == number || Previous?.Number == number || Next?.Number == number;
    }
}
