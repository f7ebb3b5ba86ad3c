using System.Net;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>
/// Which links and addresses concern us. What is about to be read is added first: then what changes while it is read, or after, is heard.
/// </summary>
/// <remarks>One pass at a time writes; the threads that listen take <see cref="Filter"/>.</remarks>
/// <param name="names">Names that links of ours have.</param>
/// <param name="table">Where our routes live; the default table if not given.</param>
public sealed class KernelWatch(IReadOnlyCollection<string> names, RouteTable? table = null)
{
    private readonly Dictionary<string, int> _devices = [];
    private HashSet<int> _links = [];
    private HashSet<IPAddress> _destinations = [];
    private EquatableArray<IPPrefix> _pods = [];
    private EquatableArray<IPPrefix> _remotePods = [];
    private volatile NewsFilter _filter = new(names, [], [], [], table);

    /// <summary>Tells what concerns us now.</summary>
    public NewsFilter Filter => _filter;

    /// <summary>Adds a link of ours; one that had its name before is forgotten.</summary>
    public void AddDevice(string name, int index)
    {
        if (!_devices.TryGetValue(name, out var known) || known != index)
        {
            _devices[name] = index;
            Publish();
        }
    }

    /// <summary>Adds a link by which peers are reached.</summary>
    /// <returns>Whether it is new, so that what was read of it before has to be read again.</returns>
    public bool AddLink(int index)
    {
        var isNew = _links.Add(index);
        if (isNew)
        {
            Publish();
        }

        return isNew;
    }

    /// <summary>Adds addresses of peers.</summary>
    public void AddDestinations(IEnumerable<IPAddress> addresses)
    {
        var before = _destinations.Count;
        _destinations.UnionWith(addresses);
        if (_destinations.Count > before)
        {
            Publish();
        }
    }

    /// <summary>Forgets the links and addresses by which no peer is reached any more.</summary>
    /// <param name="links">What remains of the links.</param>
    /// <param name="destinations">What remains of the addresses.</param>
    public void Keep(IEnumerable<int> links, IEnumerable<IPAddress> destinations)
    {
        (_links, _destinations) = ([.. links], [.. destinations]);
        Publish();
    }

    /// <summary>Says whose packets the tunnels are for.</summary>
    /// <param name="pods">This node's pods.</param>
    /// <param name="remotePods">Other nodes' pods.</param>
    public void SetPods(EquatableArray<IPPrefix> pods, EquatableArray<IPPrefix> remotePods)
    {
        if ((pods, remotePods) != (_pods, _remotePods))
        {
            (_pods, _remotePods) = (pods, remotePods);
            Publish();
        }
    }

    private void Publish() => _filter = new NewsFilter(names, _devices.Values, _links, _destinations, table, _pods, _remotePods);
}
