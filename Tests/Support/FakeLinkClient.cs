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

    /// <summary>MTU in bytes of the link that all ways lead through; as much as each carries if not given.</summary>
    public int? LinkMtu { get; set; }

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

    /// <summary>Says what <see cref="TryGetPathAsync"/> answers for one destination; <see langword="null"/> for unreachable.</summary>
    public void SetPathMtu(IPAddress destination, int? mtu)
    {
        lock (_lock)
        {
            _pathMtus[destination] = mtu;
        }
    }

    /// <inheritdoc/>
    public Task<Link?> TryGetLinkAsync(string name, CancellationToken cancellationToken) =>
        CallAsync(nameof(TryGetLinkAsync), name, () => _links.GetValueOrDefault(name), cancellationToken);

    /// <inheritdoc/>
    public Task<Link?> TryGetLinkAsync(int index, CancellationToken cancellationToken) =>
        CallAsync(nameof(TryGetLinkAsync), index, () => _links.Values.FirstOrDefault(link => link.Index == index), cancellationToken);

    /// <inheritdoc/>
    public async Task RenameAsync(int index, string name, CancellationToken cancellationToken)
    {
        var link = await CallAsync(nameof(RenameAsync), index, () => _links.Values.First(link => link.Index == index), cancellationToken);
        RenameLink(link.Name, name);
    }

    /// <inheritdoc/>
    public Task SetMtuAsync(string name, int mtu, CancellationToken cancellationToken) => CallAsync(nameof(SetMtuAsync), name, () =>
    {
        if (mtu is < MinMtu or > ushort.MaxValue)
        {
            throw new LinuxException($"set mtu {mtu} of {name}", EINVAL, "mtu out of range");
        }

        return _links[name] = Find(name, $"set mtu {mtu} of") with { Mtu = mtu };
    }, cancellationToken);

    /// <inheritdoc/>
    public Task SetUpAsync(string name, CancellationToken cancellationToken) =>
        CallAsync(nameof(SetUpAsync), name, () => _links[name] = Find(name, "set up") with { IsUp = true }, cancellationToken);

    /// <inheritdoc/>
    public Task SetLooseSourceCheckAsync(string name, CancellationToken cancellationToken) =>
        CallAsync(nameof(SetLooseSourceCheckAsync), name, () =>
            _sourceChecks[Find(name, "set rp_filter of").Name] = SourceCheck.Loose, cancellationToken);

    /// <inheritdoc/>
    public Task<SourceCheck> GetSourceCheckAsync(string name, CancellationToken cancellationToken) =>
        CallAsync(nameof(GetSourceCheckAsync), name, () => _sourceChecks.GetValueOrDefault(name, SourceCheck.None), cancellationToken);

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
    public Task<LinkTraffic> GetTrafficAsync(string name, CancellationToken cancellationToken) =>
        CallAsync(nameof(GetTrafficAsync), name, () => _traffic.GetValueOrDefault(name), cancellationToken);

    /// <summary>Says what <see cref="GetTrafficAsync"/> answers for a link; zeros unless it was told.</summary>
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
    public Task<LinkPath?> TryGetPathAsync(IPAddress destination, CancellationToken cancellationToken) => CallAsync(
        nameof(TryGetPathAsync),
        destination,
        () => (_pathMtus.TryGetValue(destination, out var known) ? known : PathMtu) is { } mtu
            ? new LinkPath(UnderlayIndex, mtu, LinkMtu ?? mtu)
            : null,
        cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<Route>> GetRoutesAsync(CancellationToken cancellationToken) =>
        CallAsync(nameof(GetRoutesAsync), null, () => _routes.Values.ToEquatableArray(), cancellationToken);

    /// <inheritdoc/>
    public Task ReplaceRouteAsync(Route route, CancellationToken cancellationToken) => CallAsync(nameof(ReplaceRouteAsync), route, () =>
        route.DeviceName.Length == 0 || Find(route.DeviceName, $"add route {route.Destination} to").IsUp
            ? _routes[route.Key] = route
            : throw new LinuxException($"add route {route.Destination} to {route.DeviceName}", ENETDOWN, "Network is down"),
        cancellationToken);

    /// <inheritdoc/>
    public Task DeleteRouteAsync(Route route, CancellationToken cancellationToken) => CallAsync(nameof(DeleteRouteAsync), route, () =>
        _routes.TryGetValue(route.Key, out var held) && held == route && _routes.Remove(route.Key), cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<IPPrefix>> GetRulesAsync(CancellationToken cancellationToken) =>
        CallAsync(nameof(GetRulesAsync), null, () => _rules.ToEquatableArray(), cancellationToken);

    /// <inheritdoc/>
    public Task AddRuleAsync(IPPrefix source, CancellationToken cancellationToken) => CallAsync(nameof(AddRuleAsync), source, () =>
        _rules.Add(source) ? true : throw new LinuxException($"add rule from {source}", EEXIST, "File exists"), cancellationToken);

    /// <inheritdoc/>
    public Task DeleteRuleAsync(IPPrefix source, CancellationToken cancellationToken) =>
        CallAsync(nameof(DeleteRuleAsync), source, () => _rules.Remove(source), cancellationToken);

    private async Task<T> CallAsync<T>(string operation, object? subject, Func<T> effect, CancellationToken cancellationToken)
    {
        if (_whole is not null)
        {
            return await _whole.CallAsync(operation, subject, effect, cancellationToken);
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
            foreach (var key in table.Values.Where(route => route.DeviceName == deviceName && which?.Invoke(route) != false)
                .Select(route => route.Key).ToArray())
            {
                _ = table.Remove(key);
            }
        }
    }
}
