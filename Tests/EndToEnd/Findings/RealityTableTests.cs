// What the reality check finds on nodes whose links, routes and rules are real.
using System.Diagnostics;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Routing.Dump;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Findings;

[Trait("Kind", "EndToEnd")]
public sealed class RealityTableTests(ITestOutputHelper output)
{
    public static TheoryData<string> Names => [.. RealityTable.Rows.Select(row => row.Name)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Find_Row_FindsWhatItDeserves(string name)
    {
        var row = RealityTable.Rows.Single(row => row.Name == name);
        var found = await FindAsync(row, static _ => Task.CompletedTask);
        foreach (var finding in found)
        {
            output.WriteLine($"{finding.Severity} {finding.Code} {finding.Subject}: {string.Join(", ", finding.Evidence.Select(item => $"{item.Name}={item.Value}"))}");
        }

        Assert.Equal(row.Found, found.Select(finding => finding.Code));
    }

    // Settings of the namespace, which ip(8) does not change.
    [Theory]
    [InlineData("net.ipv4.conf.veth1.forwarding=0", "IPv4")]
    [InlineData("net.ipv4.ip_forward=0", "IPv4")]
    [InlineData("net.ipv6.conf.all.forwarding=0", "IPv6")]
    public async Task Find_ForwardingOff_IsFound(string setting, string subject)
    {
        var row = RealityTable.Rows.Single(row => row.Name == "dual_stack");
        var found = await FindAsync(row, space => RunAsync(space, "sysctl", "-q", setting));
        Assert.Equal((FindingCode.ForwardingOff, subject), (Assert.Single(found).Code, found[0].Subject));
    }

    // The kernel takes the larger of the two: a device with 2 is loose whatever is set for all.
    [Theory]
    [InlineData(1, 0, true)]
    [InlineData(0, 1, true)]
    [InlineData(0, 0, false)]
    [InlineData(2, 1, false)]
    [InlineData(1, 2, false)]
    public async Task Find_SourceCheck_IsFoundIfStrict(int device, int all, bool isFound)
    {
        var row = RealityTable.Rows.Single(row => row.Name == "kindnet");
        var found = await FindAsync(row, space => RunAsync(
            space, "sysctl", "-q", $"net.ipv4.conf.cilium_wg0.rp_filter={device}", $"net.ipv4.conf.all.rp_filter={all}"));
        Assert.Equal(isFound ? [FindingCode.SourceCheckStrict] : [], found.Select(finding => finding.Code));
    }

    // Time for people; what is asserted is that nothing is missed and nothing is made up.
    [Fact]
    public async Task Find_FiveThousandRoutesAndAThousandPods_MissesNothing()
    {
        const int Routes = 5000;
        const int Pods = 1000;
        var routes = Enumerable.Range(0, Routes).Select(i => FormattableString.Invariant($"10.{100 + (i / 250)}.{i % 250}.0/24")).ToList();
        var pods = Enumerable.Range(0, Pods).Select(i => FormattableString.Invariant($"route add 10.60.{i / 250}.{i % 250}/32 dev veth1"));
        var row = RealityTable.Rows.Single(row => row.Name == "kindnet") with
        {
            OwnPrefixes = "10.244.1.0/24 10.60.0.0/16",
            RemotePrefixes = string.Join(' ', routes),
        };
        row = row with { Commands = string.Join('\n', [row.Commands, .. pods, .. routes.Select(route => $"route add {route} via 192.168.7.2"), "route add 10.61.0.1/32 dev veth1"]) };
        var found = await FindAsync(row, static _ => Task.CompletedTask);
        Assert.Equal(FindingCode.PodsOutsidePrefixes, Assert.Single(found).Code);
        Assert.Equal("10.61.0.1/32 at veth1", found[0].Evidence[0].Value);
    }

    private async Task<EquatableArray<Finding>> FindAsync(RealityRow row, Func<NamespaceThread, Task> change)
    {
        Assert.SkipWhen(Environment.UserName != "root", "Network namespaces need root.");
        using var pods = await NamespaceThread.Create("pods", Token);
        using var node = await NamespaceThread.Create("node", Token);
        await RunAsync(node, "sysctl", "-q", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0");
        await RunBatchAsync(node, row.Commands.Replace("POD", pods.ThreadId.ToString(), StringComparison.Ordinal));
        await change(node);
        var reader = new NetlinkDump(TimeProvider.System);
        var dump = await node.Run(() => reader.ReadAsync(Token));
        var started = Stopwatch.GetTimestamp();
        dump = await node.Run(() => reader.ReadAsync(Token));
        var read = Stopwatch.GetElapsedTime(started);
        var underlay = dump.Links.Where(link => link.Name == row.Underlay).Select(link => link.Index);
        started = Stopwatch.GetTimestamp();
        var found = FindingCatalogue.Settle(RealityCheck.Find(dump, row.Expect(underlay), DateTimeOffset.UnixEpoch), []);
        output.WriteLine($"{dump.Routes.Count} routes: read in {read.TotalMilliseconds:F1} ms, checked in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F1} ms");
        return found;
    }

    private static async Task RunBatchAsync(NamespaceThread space, string commands)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, commands + "\n", Token);
            await RunAsync(space, "ip", "-batch", file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static Task RunAsync(NamespaceThread space, params string[] command) => space.Run(async () =>
    {
        var result = await new SystemCommand(TimeProvider.System).Run("test", command, new Dictionary<string, string?>(), Token);
        Assert.SkipWhen(result.Error.Contains("Unknown device type", StringComparison.Ordinal), "This kernel has no link of a kind that the row needs.");
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', command)}: {result.Error}");
    });
}
