using System.Net;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The ways to the addresses of the peers: asked at every resync, and when an address is new.</summary>
/// <remarks>Both devices send the same ways, so they are asked once. Not thread-safe: the agent runs one pass at a time.</remarks>
internal sealed class UnderlayPaths(ILinkClient links, KernelWatch watch)
{
    private readonly Dictionary<IPAddress, LinkPath?> _paths = [];

    /// <summary>Numbers of the links by which peers are reached, as far as was asked.</summary>
    public IReadOnlySet<int> Links => _paths.Values.OfType<LinkPath>().Select(path => path.LinkIndex).ToHashSet();

    /// <summary>Forgets all ways, so that they are asked again.</summary>
    public void Forget() => _paths.Clear();

    /// <summary>
    /// Stops watching what no peer is reached by any more: when all that is wanted has been asked since <see cref="Forget"/>.
    /// </summary>
    public void Settle() => watch.Keep(_paths.Values.OfType<LinkPath>().Select(path => path.LinkIndex), _paths.Keys);

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

        return addresses.ToDictionary(address => address, address => _paths[address]);
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
        return path;
    }
}
