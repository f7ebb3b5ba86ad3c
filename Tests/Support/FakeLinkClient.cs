using System.Collections.Immutable;
using System.Net;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>One call that a <see cref="FakeLinkClient"/> received.</summary>
/// <param name="Number">Counts from 1 over all operations.</param>
/// <param name="Operation">The member's name, such as <c>ReplaceRoute</c>.</param>
/// <param name="Subject">The link, route, source or destination it was about.</param>
internal sealed record LinkCall(int Number, string Operation, object? Subject);

/// <summary>
/// Links, routes and rules in memory that behave as the kernel's: a route through a link needs it up and goes away with it, an unreachable
/// route lies below it at a metric of its own, a rule cannot be added twice. Counts and records calls, and fails the ones it is told to.
/// </summary>
internal sealed partial class FakeLinkClient : ILinkClient
{
    /// <summary>MTU of a new link in bytes, as wireguard-go and the kernel set it.</summary>
    public const int DefaultMtu = 1420;

    /// <summary>Number of the link that every way leads through.</summary>
    public const int UnderlayIndex = 1_000;

    private const int MinMtu = 68;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Link> _links = [];
    private readonly Dictionary<IPAddress, int?> _pathMtus = [];
    private readonly Dictionary<string, LinkTraffic> _traffic = [];
    private readonly Dictionary<string, SourceCheck> _sourceChecks = [];
    private readonly Dictionary<int, int> _failures = [];
    private ImmutableList<LinkCall> _calls = [];
    private int _lastIndex;

    /// <summary>Runs before every call takes effect: may wait, may throw to fail it, may change a link as somebody else would.</summary>
    public Func<LinkCall, CancellationToken, Task>? OnCall { get; set; }

    /// <summary>Everything that was called, in order, failed calls included.</summary>
    public IReadOnlyList<LinkCall> Calls => Volatile.Read(ref _calls);

    /// <summary>MTU in bytes of the way to every destination that <see cref="SetPathMtu"/> was not told of.</summary>
    public int? PathMtu { get; set; } = 1500;

    /// <summary>The routes as they are, without a call.</summary>
    public IReadOnlyList<Route> Routes
    {
        get
        {
            lock (_lock)
            {
                return [.. _routes.Values];
            }
        }
    }

    /// <summary>The rules as they are, without a call.</summary>
    public IReadOnlyList<IPPrefix> Rules
    {
        get
        {
            lock (_lock)
            {
                return [.. _rules];
            }
        }
    }

    /// <summary>How often an operation was called.</summary>
    public int CountOf(string operation) => Calls.Count(call => call.Operation == operation);

    /// <summary>Makes call <paramref name="number"/>, counted from 1 over all operations, fail without an effect.</summary>
    public void FailCall(int number, int errno = EIO)
    {
        lock (_lock)
        {
            _failures[number] = errno;
        }
    }

    /// <summary>Makes the next call fail.</summary>
    public void FailNextCall(int errno = EIO) => FailCall(Calls.Count + 1, errno);

    /// <summary>Adds a link that is down, as creating a device does. One of this name that is there already is replaced.</summary>
    public void AddLink(string name, int mtu = DefaultMtu)
    {
        lock (_lock)
        {
            RemoveLink(name);
            _links[name] = new Link(name, ++_lastIndex, mtu, IsUp: false);
        }
    }

    /// <summary>Is told of a link that is renamed.</summary>
    public Action<string, string>? OnRenamed { get; set; }

    /// <summary>Renames a link as somebody else would; its number and routes stay, and the routes lead through the new name.</summary>
    public void RenameLink(string name, string newName)
    {
        lock (_lock)
        {
            var link = Find(name, "rename");
            _ = _links.ContainsKey(newName) ? throw new LinuxException($"rename {name}", EEXIST, "File exists") : _links.Remove(name);
            _links[newName] = link with { Name = newName };
            foreach (var (key, route) in _routes.Where(entry => entry.Value.DeviceName == name).ToArray())
            {
                _routes[key] = route with { DeviceName = newName };
            }
        }

        OnRenamed?.Invoke(name, newName);
    }

    /// <summary>Removes a link and its routes.</summary>
    public void RemoveLink(string name)
    {
        lock (_lock)
        {
            _ = _links.Remove(name);
            _ = _sourceChecks.Remove(name);
            RemoveRoutes(name);
        }
    }

    /// <summary>Takes a link down as somebody else would; its routes go.</summary>
    public void SetDown(string name)
    {
        lock (_lock)
        {
            _links[name] = Find(name, "set") with { IsUp = false };
            RemoveRoutes(name);
        }
    }

    /// <summary>Says what <see cref="TryGetPath"/> answers for one destination; <see langword="null"/> for unreachable.</summary>
    public void SetPathMtu(IPAddress destination, int? mtu)
    {
        lock (_lock)
        {
            _pathMtus[destination] = mtu;
        }
    }

    /// <inheritdoc/>
    public Task<Link?> TryGetLink(string name, CancellationToken cancellationToken) =>
        Call(nameof(TryGetLink), name, () => _links.GetValueOrDefault(name), cancellationToken);

    /// <inheritdoc/>
    public Task<Link?> TryGetLink(int index, CancellationToken cancellationToken) =>
        Call(nameof(TryGetLink), index, () => _links.Values.FirstOrDefault(link => link.Index == index), cancellationToken);

    /// <inheritdoc/>
    public async Task Rename(int index, string name, CancellationToken cancellationToken)
    {
        var link = await Call(nameof(Rename), index, () => _links.Values.First(link => link.Index == index), cancellationToken);
        RenameLink(link.Name, name);
    }

    /// <inheritdoc/>
    public Task SetMtu(string name, int mtu, CancellationToken cancellationToken) => Call(nameof(SetMtu), name, () =>
    {
        if (mtu is < MinMtu or > ushort.MaxValue)
        {
            throw new LinuxException($"set mtu {mtu} of {name}", EINVAL, "mtu out of range");
        }

        return _links[name] = Find(name, $"set mtu {mtu} of") with { Mtu = mtu };
    }, cancellationToken);

    /// <inheritdoc/>
    public Task SetUp(string name, CancellationToken cancellationToken) =>
        Call(nameof(SetUp), name, () => _links[name] = Find(name, "set up") with { IsUp = true }, cancellationToken);

    /// <inheritdoc/>
    public Task SetLooseSourceCheck(string name, CancellationToken cancellationToken) =>
        Call(nameof(SetLooseSourceCheck), name, () => _sourceChecks[Find(name, "set rp_filter of").Name] = SourceCheck.Loose, cancellationToken);

    /// <inheritdoc/>
    public Task<SourceCheck> GetSourceCheck(string name, CancellationToken cancellationToken) =>
        Call(nameof(GetSourceCheck), name, () => _sourceChecks.GetValueOrDefault(name, SourceCheck.None), cancellationToken);

    /// <summary>Changes how a link takes packets in, as somebody else would; without an address its IPv4 routes go.</summary>
    public void SetSourceCheck(string name, SourceCheck check)
    {
        lock (_lock)
        {
            _sourceChecks[name] = check;
            if (!check.HasAddress)
            {
                RemoveRoutes(name, route => !route.Destination.IsIPv6);
            }
        }
    }

    /// <inheritdoc/>
    public Task<LinkTraffic> GetTraffic(string name, CancellationToken cancellationToken) =>
        Call(nameof(GetTraffic), name, () => _traffic.GetValueOrDefault(name), cancellationToken);

    /// <summary>Says what <see cref="GetTraffic"/> answers for a link; zeros unless it was told.</summary>
    public void SetReceivedPackets(string name, long packets) => SetTraffic(name, new LinkTraffic(packets, 0, 0));

    /// <inheritdoc cref="SetReceivedPackets"/>
    public void SetTraffic(string name, LinkTraffic traffic)
    {
        lock (_lock)
        {
            _traffic[name] = traffic;
        }
    }

    /// <inheritdoc/>
    public Task<LinkPath?> TryGetPath(IPAddress destination, CancellationToken cancellationToken) => Call(
        nameof(TryGetPath),
        destination,
        () => (_pathMtus.TryGetValue(destination, out var known) ? known : PathMtu) is { } mtu ? new LinkPath(UnderlayIndex, mtu) : null,
        cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<Route>> GetRoutes(CancellationToken cancellationToken) =>
        Call(nameof(GetRoutes), null, () => _routes.Values.ToEquatableArray(), cancellationToken);

    /// <inheritdoc/>
    public Task ReplaceRoute(Route route, CancellationToken cancellationToken) => Call(nameof(ReplaceRoute), route, () =>
        route.DeviceName.Length == 0 || Find(route.DeviceName, $"add route {route.Destination} to").IsUp
            ? _routes[route.Key] = route
            : throw new LinuxException($"add route {route.Destination} to {route.DeviceName}", ENETDOWN, "Network is down"),
        cancellationToken);

    /// <inheritdoc/>
    public Task DeleteRoute(Route route, CancellationToken cancellationToken) => Call(nameof(DeleteRoute), route, () =>
        _routes.TryGetValue(route.Key, out var held) && held == route && _routes.Remove(route.Key), cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<IPPrefix>> GetRules(CancellationToken cancellationToken) =>
        Call(nameof(GetRules), null, () => _rules.ToEquatableArray(), cancellationToken);

    /// <inheritdoc/>
    public Task AddRule(IPPrefix source, CancellationToken cancellationToken) => Call(nameof(AddRule), source, () =>
        _rules.Add(source) ? true : throw new LinuxException($"add rule from {source}", EEXIST, "File exists"), cancellationToken);

    /// <inheritdoc/>
    public Task DeleteRule(IPPrefix source, CancellationToken cancellationToken) =>
        Call(nameof(DeleteRule), source, () => _rules.Remove(source), cancellationToken);

    private async Task<T> Call<T>(string operation, object? subject, Func<T> effect, CancellationToken cancellationToken)
    {
        if (_whole is not null)
        {
            return await _whole.Call(operation, subject, effect, cancellationToken);
        }

        cancellationToken.ThrowIfCancellationRequested();
        LinkCall call;
        int errno;
        lock (_lock)
        {
            call = new LinkCall(_calls.Count + 1, operation, subject);
            Volatile.Write(ref _calls, _calls.Add(call));
            _ = _failures.TryGetValue(call.Number, out errno);
        }

        if (OnCall is { } hook)
        {
            await hook(call, cancellationToken);
        }

        if (errno != 0)
        {
            throw new LinuxException($"{operation} {subject}", errno, "the fake was told to fail this call");
        }

        lock (_lock)
        {
            return effect();
        }
    }

    private Link Find(string name, string operation) => _links.TryGetValue(name, out var link)
        ? link
        : throw new LinuxException($"{operation} {name}", ENODEV, "No such device");

    private void RemoveRoutes(string deviceName, Func<Route, bool>? which = null)
    {
        foreach (var table in _tables.Values)
        {
            foreach (var key in table.Values.Where(route => route.DeviceName == deviceName && which?.Invoke(route) != false).Select(route => route.Key).ToArray())
            {
                _ = table.Remove(key);
            }
        }
    }
}
