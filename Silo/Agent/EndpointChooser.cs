using System.Net;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Chooses by which of its addresses a peer is reached: one that answers (<see cref="EndpointRule"/>), of those to which this node has a
/// route.
/// </summary>
/// <remarks>
/// A node of two families announces both, and a node of one family can use one. An address that has a route may answer nobody all the same.
/// The one by which a node was last heard is its first one for the next key too. Not thread-safe: the agent runs one pass at a time.
/// </remarks>
internal sealed class EndpointChooser(UnderlayPaths paths, KeyPairClock clock)
{
    private readonly EndpointTrials _trials = new();
    private readonly Dictionary<(Slot Slot, PublicKey Peer), EquatableArray<IPEndPoint>> _announced = [];
    private readonly Dictionary<string, IPAddress> _heardFrom = new(StringComparer.Ordinal);

    /// <summary>
    /// Chooses an endpoint for every peer, and leaves out those that this node has no route to, unless a peer has no other.
    /// </summary>
    public async Task<DesiredDevice> ChooseAsync(DesiredDevice device, EndpointSources sources, CancellationToken cancellationToken)
    {
        _trials.Observe(sources.Slot, sources.Observed, sources.Now);
        var addresses = device.Peers.Where(HasChoice).SelectMany(peer => peer.Endpoints).Select(endpoint => endpoint.Address).ToHashSet();
        var found = await paths.FindAsync(addresses, cancellationToken);
        var observed = sources.Observed.Peers.ToDictionary(peer => peer.PublicKey);
        var chosen = device.Peers.Select(peer =>
        {
            var routed = HasChoice(peer) ? peer with { Endpoints = Routed(peer.Endpoints, found) } : peer;
            var current = observed.GetValueOrDefault(peer.PublicKey);
            return routed with { Endpoint = Choose(routed, current, IsWithdrawn(sources.Slot, peer, current), sources) };
        }).ToEquatableArray();
        foreach (var key in _announced.Keys.Where(key => key.Slot == sources.Slot).ToList())
        {
            _announced.Remove(key);
        }

        foreach (var peer in device.Peers)
        {
            _announced[(sources.Slot, peer.PublicKey)] = peer.Endpoints;
        }

        return device with { Peers = chosen };
    }

    /// <summary>Forgets where other nodes than these were heard.</summary>
    public void ForgetExcept(IReadOnlySet<string> nodeNames)
    {
        foreach (var name in _heardFrom.Keys.Where(name => !nodeNames.Contains(name)).ToList())
        {
            _ = _heardFrom.Remove(name);
        }
    }

    /// <summary>
    /// Whether a peer answers, as far as the device tells: a handshake is shown, and nothing that was sent since stayed without an answer.
    /// </summary>
    /// <param name="slot">Whose device has the peer.</param>
    /// <param name="peer">The peer as its device has it.</param>
    /// <param name="isAwaited">
    /// Whether its node waits for a handshake on any slot. Then a session that is over proves nothing: what this node sends may not even
    /// leave it, and is not counted then. Without that it only means that nobody had anything to say.
    /// </param>
    /// <param name="now">Against which ages are measured.</param>
    public bool IsAnswering(Slot slot, DevicePeer peer, bool isAwaited, SteadyTime now)
    {
        var hasSession = HasSession(slot, peer.PublicKey, now);
        return clock.IsProven(slot, peer) && (hasSession || !isAwaited) && !_trials.IsPeerUnanswered(slot, peer.PublicKey, hasSession, now);
    }

    /// <inheritdoc cref="EndpointTrials.AskedSince"/>
    public SteadyTime? AskedSince(Slot slot, PublicKey peer) => _trials.AskedSince(slot, peer);

    /// <inheritdoc cref="EndpointTrials.Tried"/>
    public EquatableArray<IPEndPoint> Tried(Slot slot, PublicKey peer) => _trials.Tried(slot, peer);

    private bool IsWithdrawn(Slot slot, DesiredPeer peer, DevicePeer? current) => current?.Endpoint is { } endpoint
        && _announced.TryGetValue((slot, peer.PublicKey), out var before)
        && before.Contains(endpoint) && !peer.Endpoints.Contains(endpoint);

    private IPEndPoint? Choose(DesiredPeer peer, DevicePeer? current, bool isWithdrawn, EndpointSources sources)
    {
        var (slot, now) = (sources.Slot, sources.Now);
        var name = sources.NodeNames.GetValueOrDefault(peer.PublicKey);
        var isUnanswered = sources.Retried.Contains(peer.PublicKey)
            || _trials.IsEndpointUnanswered(slot, peer.PublicKey, HasSession(slot, peer.PublicKey, now), now);
        if (name is not null && current?.Endpoint?.Address is { } address)
        {
            Remember(name, address, isUnanswered, current.ReceiveBytes > 0);
        }

        var heardFrom = name is null ? null : _heardFrom.GetValueOrDefault(name);
        var candidates = peer.Endpoints.OrderBy(endpoint => !endpoint.Address.Equals(heardFrom)).ToEquatableArray();
        var former = sources.Former.GetValueOrDefault(peer.PublicKey);
        return EndpointRule.Choose(candidates, current?.Endpoint, State(slot, current, now), isWithdrawn, isUnanswered, former);
    }

    private void Remember(string name, IPAddress address, bool isUnanswered, bool isHeard)
    {
        if (!isUnanswered && isHeard)
        {
            _heardFrom[name] = address;
        }
        else if (isUnanswered && address.Equals(_heardFrom.GetValueOrDefault(name)))
        {
            _heardFrom.Remove(name);
        }
    }

    // A packet that is authentic is an answer, also before the handshake that it belongs to is complete.
    private PeerState State(Slot slot, DevicePeer? peer, SteadyTime now) =>
        peer is null || (peer.ReceiveBytes == 0 && peer.LastHandshakeTime is null) ? PeerState.Unknown
        : (clock.HandshakeAge(slot, peer.PublicKey, now) ?? now - clock.Since(slot, peer.PublicKey)) < PeerStateCalculator.DownAfter
            ? PeerState.Up
        : PeerState.Down;

    private bool HasSession(Slot slot, PublicKey peer, SteadyTime now) => clock.HandshakeAge(slot, peer, now) < PathPlanner.OverAfter;

    private static bool HasChoice(DesiredPeer peer) => peer.Endpoints.Count > 1;

    private static EquatableArray<IPEndPoint> Routed(EquatableArray<IPEndPoint> endpoints, IReadOnlyDictionary<IPAddress, LinkPath?> found)
    {
        var routed = endpoints.Where(endpoint => found[endpoint.Address] is not null).ToEquatableArray();
        return routed.Count > 0 ? routed : endpoints;
    }
}
