using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Orleans.WireGuard.Silo.Devices;

namespace Orleans.WireGuard.Silo.Routing;

/// <summary>
/// Links, routes and rules by the <c>ip</c> command of iproute2, version 5 or newer. Until rtnetlink takes over: each call costs the start
/// of a process or two.
/// </summary>
internal sealed class IpCommandLinkClient : ILinkClient
{
    // Its messages are how failures are told apart, so they must not be translated.
    private static readonly Dictionary<string, string?> Environment = new() { ["LC_ALL"] = "C" };

    // What `ip` says for an errno; it prints strerror(3) behind "RTNETLINK answers:", or a text of its own.
    private static readonly (string Text, int Errno)[] Errnos =
    [
        ("Operation not permitted", 1),
        ("No such file or directory", 2),
        ("No such process", 3),
        ("File exists", 17),
        ("Cannot find device", 19),
        ("does not exist", 19),
        ("Invalid argument", 22),
        ("Network is down", 100),
        ("Device for nexthop is not up", 100),
        ("Network is unreachable", 101),
        ("No route to host", 113),
    ];

    private const int ENOENT = 2;
    private const int ESRCH = 3;
    private const int ENODEV = 19;
    private const int ENETUNREACH = 101;
    private const int EHOSTUNREACH = 113;

    private static readonly string Table = RouteTable.Number.ToString(CultureInfo.InvariantCulture);
    private static readonly string Protocol = RouteTable.Protocol.ToString(CultureInfo.InvariantCulture);
    private static readonly string Priority = RouteTable.RulePriority.ToString(CultureInfo.InvariantCulture);

    private readonly SystemCommand _command;
    private readonly IReadOnlyList<string> _ip;

    /// <summary>Makes a client. It touches nothing yet.</summary>
    /// <param name="timeProvider">Clock of the limit that each command has.</param>
    /// <param name="ip">The command; <c>ip</c>, looked up on PATH, if <see langword="null"/>.</param>
    public IpCommandLinkClient(TimeProvider timeProvider, IReadOnlyList<string>? ip = null)
    {
        _command = new SystemCommand(timeProvider);
        _ip = ip ?? ["ip"];
    }

    /// <inheritdoc/>
    public async Task<Link?> TryGetLink(string name, CancellationToken cancellationToken)
    {
        InterfaceName.ThrowIfInvalid(name);
        var operation = $"get link {name}";
        try
        {
            var links = await Query(operation, ["link", "show", "dev", name], ToLink, cancellationToken);
            return links is [var link, ..] ? link : null;
        }
        catch (DeviceException e) when (e.Errno == ENODEV)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task SetMtu(string name, int mtu, CancellationToken cancellationToken)
    {
        InterfaceName.ThrowIfInvalid(name);
        await Run(
            $"set mtu {mtu} of {name}", ["link", "set", "dev", name, "mtu", mtu.ToString(CultureInfo.InvariantCulture)], cancellationToken);
    }

    /// <inheritdoc/>
    public async Task SetUp(string name, CancellationToken cancellationToken)
    {
        InterfaceName.ThrowIfInvalid(name);
        await Run($"set up {name}", ["link", "set", "dev", name, "up"], cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<int?> GetPathMtu(IPAddress destination, CancellationToken cancellationToken)
    {
        var operation = $"get the route to {destination}";
        string[] family = destination.AddressFamily == AddressFamily.InterNetworkV6 ? ["-6"] : ["-4"];
        (string? DeviceName, int? Mtu) route;
        try
        {
            var routes = await Query(operation, [.. family, "route", "get", destination.ToString()], ToHop, cancellationToken);
            route = routes is [var hop, ..] ? hop : default;
        }
        catch (DeviceException e) when (e.Errno is ENETUNREACH or EHOSTUNREACH)
        {
            return null;
        }

        if (route.DeviceName is null || await TryGetLink(route.DeviceName, cancellationToken) is not { } link)
        {
            return null;
        }

        return route.Mtu is { } mtu ? Math.Min(mtu, link.Mtu) : link.Mtu;
    }

    /// <inheritdoc/>
    public async Task<EquatableArray<Route>> GetRoutes(CancellationToken cancellationToken)
    {
        var routes = new List<Route>();
        foreach (var isIPv6 in (bool[])[false, true])
        {
            routes.AddRange(await GetRoutes(isIPv6, cancellationToken));
        }

        return [.. routes.OrderBy(route => route.Destination)];
    }

    /// <inheritdoc/>
    public async Task ReplaceRoute(Route route, CancellationToken cancellationToken)
    {
        InterfaceName.ThrowIfInvalid(route.DeviceName);
        await Run($"add route {route.Destination} to {route.DeviceName}", RouteCommand("replace", route), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task DeleteRoute(Route route, CancellationToken cancellationToken)
    {
        InterfaceName.ThrowIfInvalid(route.DeviceName);
        try
        {
            await Run($"delete route {route.Destination} to {route.DeviceName}", RouteCommand("delete", route), cancellationToken);
        }
        catch (DeviceException e) when (e.Errno is ESRCH or ENODEV)
        {
            // It is not there, or went away with its device.
        }
    }

    /// <inheritdoc/>
    public async Task<EquatableArray<IPPrefix>> GetRules(CancellationToken cancellationToken)
    {
        var rules = new List<IPPrefix?>();
        foreach (var family in (string[])["-4", "-6"])
        {
            rules.AddRange(await Query("get rules", [family, "rule", "show"], ToSource, cancellationToken));
        }

        return [.. rules.OfType<IPPrefix>().Order()];
    }

    /// <inheritdoc/>
    public async Task AddRule(IPPrefix source, CancellationToken cancellationToken) =>
        await Run($"add rule from {source}", RuleCommand("add", source), cancellationToken);

    /// <inheritdoc/>
    public async Task DeleteRule(IPPrefix source, CancellationToken cancellationToken)
    {
        try
        {
            await Run($"delete rule from {source}", RuleCommand("delete", source), cancellationToken);
        }
        catch (DeviceException e) when (e.Errno == ENOENT)
        {
            // It is not there.
        }
    }

    private static string Family(IPPrefix prefix) => prefix.IsIPv6 ? "-6" : "-4";

    private static string[] RouteCommand(string verb, Route route) =>
    [
        Family(route.Destination), "route", verb, route.Destination.ToString(), "dev", route.DeviceName,
        "table", Table, "protocol", Protocol,
    ];

    private static string[] RuleCommand(string verb, IPPrefix source) =>
    [
        Family(source), "rule", verb, "from", source.ToString(), "lookup", Table, "priority", Priority, "protocol", Protocol,
    ];

    private static Link ToLink(JsonElement link) => new(
        link.GetProperty("ifname").GetString()!,
        link.GetProperty("ifindex").GetInt32(),
        link.GetProperty("mtu").GetInt32(),
        link.GetProperty("flags").EnumerateArray().Any(flag => flag.ValueEquals("UP")));

    private static (string? DeviceName, int? Mtu) ToHop(JsonElement route)
    {
        int? mtu = null;
        if (route.TryGetProperty("metrics", out var metrics))
        {
            foreach (var metric in metrics.EnumerateArray())
            {
                mtu = metric.TryGetProperty("mtu", out var value) && value.TryGetInt32(out var bytes) ? bytes : mtu;
            }
        }

        return (route.TryGetProperty("dev", out var device) ? device.GetString() : null, mtu);
    }

    private static IPPrefix? ToSource(JsonElement rule) =>
        rule.TryGetProperty("table", out var table) && table.ValueEquals(Table)
        && rule.TryGetProperty("protocol", out var protocol) && protocol.ValueEquals(Protocol)
        && rule.TryGetProperty("priority", out var priority) && priority.GetInt32() == RouteTable.RulePriority
        && rule.TryGetProperty("src", out var source) && IPAddress.TryParse(source.GetString(), out var address)
            ? rule.TryGetProperty("srclen", out var length) ? new IPPrefix(address, length.GetInt32()) : IPPrefix.Host(address)
            : null;

    private async Task<IReadOnlyList<Route>> GetRoutes(bool isIPv6, CancellationToken cancellationToken)
    {
        // 'default' stands for the whole family, and routes without a device (unreachable) are not of this type.
        Route? ToRoute(JsonElement route) =>
            route.TryGetProperty("dev", out var device) && route.TryGetProperty("dst", out var destination)
                ? new Route(
                    destination.ValueEquals("default") ? IPPrefix.Parse(isIPv6 ? "::/0" : "0.0.0.0/0") : IPPrefix.Parse(destination.GetString()!),
                    device.GetString()!)
                : null;

        var operation = $"get the routes of table {Table}";
        string[] command = [isIPv6 ? "-6" : "-4", "route", "show", "table", Table, "protocol", Protocol, "type", "unicast"];
        try
        {
            return [.. (await Query(operation, command, ToRoute, cancellationToken)).OfType<Route>()];
        }
        catch (DeviceException e) when (e.Message.Contains("FIB table does not exist", StringComparison.Ordinal))
        {
            // The kernel makes a table with its first route.
            return [];
        }
    }

    private async Task<IReadOnlyList<T>> Query<T>(
        string operation, string[] arguments, Func<JsonElement, T> convert, CancellationToken cancellationToken)
    {
        var output = await Run(operation, ["-json", "-Numeric", .. arguments], cancellationToken);
        if (string.IsNullOrWhiteSpace(output))
        {
            return [];
        }

        try
        {
            using var document = JsonDocument.Parse(output);

            // `ip` prints an empty object for each element that its filter left out.
            return [.. document.RootElement.EnumerateArray().Where(element => element.EnumerateObject().Any()).Select(convert)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or ArgumentException)
        {
            throw new DeviceException(operation, 0, $"'ip' printed what it should not: {e.Message}; iproute2 5 or newer is needed", e);
        }
    }

    private async Task<string> Run(string operation, string[] arguments, CancellationToken cancellationToken)
    {
        var result = await _command.Run(operation, [.. _ip, .. arguments], Environment, cancellationToken);
        if (result.ExitCode == 0)
        {
            return result.Output;
        }

        var detail = result.Error.Trim().ReplaceLineEndings("; ");
        var errno = Errnos.FirstOrDefault(known => detail.Contains(known.Text, StringComparison.Ordinal)).Errno;
        throw new DeviceException(operation, errno, detail.Length == 0 ? result.LastErrorLine : detail);
    }
}
