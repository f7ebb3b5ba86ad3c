using System.Diagnostics;
using System.Globalization;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Findings;

/// <summary>Makes a node as a row says, and looks at it. With or without a test framework.</summary>
internal static class RealityNode
{
    // A namespace begins without any of what a node has.
    private static readonly string[] Settings =
        ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0"];

    /// <summary>Does both.</summary>
    /// <param name="row">The node.</param>
    /// <param name="change">Settings (<c>sysctl</c>) that are changed at the end.</param>
    /// <param name="report">Takes what was found, and how long it took.</param>
    /// <param name="token">Gives up.</param>
    /// <exception cref="MissingLinkKindException">The kernel has no such link.</exception>
    public static async Task<EquatableArray<Finding>> FindAsync(
        RealityRow row, IReadOnlyList<string> change, Action<string> report, CancellationToken token)
    {
        using var pods = await NamespaceThread.CreateAsync("pods", token);
        using var node = await NamespaceThread.CreateAsync("node", token);
        await SetAsync(node, Settings, token);
        await RunBatchAsync(
            node, row.Commands.Replace("POD", pods.ThreadId.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal), token);
        await SetAsync(node, change, token);
        var reader = new NetlinkDump(TimeProvider.System);
        var dump = await node.RunAsync(() => reader.ReadAsync(token));
        var started = Stopwatch.GetTimestamp();
        dump = await node.RunAsync(() => reader.ReadAsync(token));
        var read = Stopwatch.GetElapsedTime(started);
        var underlay = dump.Links.Where(link => link.Name == row.Underlay).Select(link => link.Index);
        started = Stopwatch.GetTimestamp();
        var found = FindingCatalogue.Settle(RealityCheck.Find(dump, row.Expect(underlay), DateTimeOffset.UnixEpoch), []);
        report(string.Create(
            CultureInfo.InvariantCulture,
            $"{dump.Routes.Count} routes: read in {read.TotalMilliseconds:F1} ms, checked in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F1} ms"));
        foreach (var finding in found)
        {
            report($"{finding.Severity} {finding.Code} {finding.Subject}: {string.Join(", ", finding.Evidence.Select(item => $"{item.Name}={item.Value}"))}");
        }

        return found;
    }

    private static async Task RunBatchAsync(NamespaceThread space, string commands, CancellationToken token)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, commands + "\n", token);
            await RunAsync(space, ["ip", "-batch", file], token);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static Task SetAsync(NamespaceThread space, IReadOnlyList<string> settings, CancellationToken token) =>
        settings.Count == 0 ? Task.CompletedTask : RunAsync(space, ["sysctl", "-q", "-w", .. settings], token);

    private static Task RunAsync(NamespaceThread space, string[] command, CancellationToken token) => space.RunAsync(async () =>
    {
        var result = await new SystemCommand(TimeProvider.System).RunAsync("test", command, new Dictionary<string, string?>(), token);
        MissingLinkKindException.ThrowIf(result.Error);
        Expect.True(result.ExitCode == 0, $"{string.Join(' ', command)} succeeds: {result.Error}");
    });
}
