using System.Net;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The ways to the addresses of the peers: asked at every resync, and when an address is new.</summary>
/// <remarks>
/// Both devices send the same ways, so they are asked once. What a way carries beyond this node's own link is told by routers
/// (<see cref="PathProbing"/>), whose answer is read at the next resync. Not thread-safe: the agent runs one pass at a time.
/// </remarks>
/// <param name="links">The system's routes.</param>
/// <param name="watch">What to tell of.</param>
/// <param name="probe">Makes routers tell; <see langword="null"/> if nobody wants to know.</param>
/// <param name="clock">The clock.</param>
internal sealed class UnderlayPaths(ILinkClient links, KernelWatch watch, IPathProbe? probe, SteadyClock clock)
{
    // Of one look, so that a node with thousands of peers sends no burst of megabytes; the others have their turn at the next one.
    private const int MaxPackets = 500;

    // Where packets cannot be sent, as with a filter for what leaves the node, each costs an exception.
    private const int MaxRefused = 8;

    private readonly Dictionary<IPAddress, LinkPath?> _paths = [];
    private readonly Dictionary<IPAddress, PathProbing> _probed = [];
    private int _sent;
    private int _refused;

    /// <summary>Numbers of the links by which peers are reached, as far as was asked.</summary>
    public IReadOnlySet<int> Links => _paths.Values.OfType<LinkPath>().Select(path => path.LinkIndex).ToHashSet();

    /// <summary>Forgets all ways, so that they are asked again.</summary>
    public void Forget()
    {
        _paths.Clear();
        (_sent, _refused) = (0, 0);
    }

    /// <summary>
    /// Stops watching what no peer is reached by any more: when all that is wanted has been asked since <see cref="Forget"/>.
    /// </summary>
    public void Settle()
    {
        watch.Keep(_paths.Values.OfType<LinkPath>().Select(path => path.LinkIndex), _paths.Keys);
        foreach (var address in _probed.Keys.Where(address => !_paths.ContainsKey(address)).ToList())
        {
            _probed.Remove(address);
        }
    }

    /// <summary>The ways to some addresses; <see langword="null"/> for those that cannot be reached.</summary>
    public async Task<IReadOnlyDictionary<IPAddress, LinkPath?>> FindAsync(
        IReadOnlySet<IPAddress> addresses, CancellationToken cancellationToken)
    {
        watch.AddDestinations(addresses.Where(address => !_paths.ContainsKey(address)));
        foreach (var address in addresses)
        {
            if (!_paths.ContainsKey(address))
            {
                _paths[address] = await AskAsync(address, cancellationToken);
            }
        }

        return addresses.ToDictionary(address => address, Believed);
    }

    /// <summary>Whether any way is another one than was found. Only reads.</summary>
    public async Task<bool> HaveChangedAsync(CancellationToken cancellationToken)
    {
        foreach (var (address, path) in _paths)
        {
            if (await links.TryGetPathAsync(address, cancellationToken) != path)
            {
                return true;
            }
        }

        return false;
    }

    // What happened to a link before it was watched was not heard.
    private async Task<LinkPath?> AskAsync(IPAddress address, CancellationToken cancellationToken)
    {
        LinkPath? path;
        do
        {
            path = await links.TryGetPathAsync(address, cancellationToken);
        }
        while (path is not null && watch.AddLink(path.LinkIndex));
        if (path is not null && probe is not null)
        {
            var probing = PathProbing.After(_probed.GetValueOrDefault(address), path, clock.Now);
            _probed[address] = probing.Wanted is { } length && !TrySend(probe, address, length) ? probing.Unsent() : probing;
        }

        return path;
    }

    private bool TrySend(IPathProbe by, IPAddress address, int length)
    {
        if (_sent == MaxPackets || _refused == MaxRefused)
        {
            return false;
        }

        var isSent = by.TrySend(address, length);
        _ = isSent ? _sent++ : _refused++;
        return isSent;
    }

    private LinkPath? Believed(IPAddress address) =>
        _paths[address] is { } path && _probed.TryGetValue(address, out var probing) ? path with { Mtu = probing.Mtu } : _paths[address];
}
