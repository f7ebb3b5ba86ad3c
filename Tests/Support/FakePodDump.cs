using System.Net;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>A node whose pods a test starts and ends: each has a cable and a host route.</summary>
internal sealed class FakePodDump : INetworkDump
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<IPPrefix, int> _pods = [];
    private int _lastLink = 10;

    /// <summary>How often it was read.</summary>
    public int Reads { get; private set; }

    /// <summary>Whether the system refuses.</summary>
    public bool Refuses { get; set; }

    /// <summary>Starts a pod.</summary>
    public FakePodDump With(string address)
    {
        lock (_lock)
        {
            _pods[IPPrefix.Host(IPAddress.Parse(address))] = ++_lastLink;
            return this;
        }
    }

    /// <summary>Ends all pods.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _pods.Clear();
        }
    }

    /// <inheritdoc/>
    public Task<NetworkDump> ReadAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            Reads++;
            return Refuses
                ? Task.FromException<NetworkDump>(new LinuxException("read links, routes and rules", Errno.EPERM, "fault"))
                : Task.FromResult(new NetworkDump(
                    [.. _pods.Values.Select(link => new LinkEntry($"veth{link}", link, "veth", 1500, true) { IsPeerElsewhere = true })],
                    [],
                    [.. _pods.Select(pod => new RouteEntry(RouteTable.Main, pod.Key, pod.Value, RouteAction.Forward))],
                    [],
                    new ForwardingEntry(null, 0)));
        }
    }
}
