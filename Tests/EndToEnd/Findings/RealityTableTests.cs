// What the reality check finds on nodes whose links, routes and rules are real.
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
        var found = await FindAsync(row);
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
        var found = await FindAsync(row, setting);
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
        var found = await FindAsync(row, $"net.ipv4.conf.cilium_wg0.rp_filter={device}", $"net.ipv4.conf.all.rp_filter={all}");
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
        row = row with
        {
            Commands = string.Join('\n', [row.Commands, .. pods, .. routes.Select(route =>
            $"route add {route} via 192.168.7.2"), "route add 10.61.0.1/32 dev veth1"])
        };
        var found = await FindAsync(row);
        Assert.Equal(FindingCode.PodsOutsidePrefixes, Assert.Single(found).Code);
        Assert.Equal("10.61.0.1/32 at veth1", found[0].Evidence[0].Value);
    }

    private async Task<EquatableArray<Finding>> FindAsync(RealityRow row, params string[] change)
    {
        Assert.SkipWhen(Environment.UserName != "root", "Network namespaces need root.");
        try
        {
            return await RealityNode.FindAsync(row, change, output.WriteLine, Token);
        }
        catch (MissingLinkKindException e)
        {
            Assert.Skip(e.Message);
            throw;
        }
    }
}
