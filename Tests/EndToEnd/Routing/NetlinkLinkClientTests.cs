// Links, routes and rules on this machine's own kernel, in network namespaces.
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Orleans.WireGuard.Silo.Routing;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing;

[Trait("Kind", "EndToEnd")]
public sealed class NetlinkLinkClientTests
{
    private static readonly string[] Refused = ["10.8.0.1", "10.7.0.1", "10.6.0.1", "fd00:8::1"];

    public static TheoryData<string> Cases => [.. LinkCases.All.Select(linkCase => linkCase.Name)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Case_OnThisKernel_Passes(string name)
    {
        SkipWithoutRoot();
        await LinkCases.All.Single(linkCase => linkCase.Name == name).RunInNamespace(Token);
    }

    // ip(8) is the witness: it sees what we made, and we see nothing of what it made.
    [Fact]
    public async Task RoutesAndRules_BesideSomebodyElses_AreOursAlone()
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.Create("beside", Token);
        await space.Run(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            var ours = new Route(IPPrefix.Parse("10.244.2.0/24"), "owg0");
            await links.CreateLink("owg0", "veth", Token);
            await links.SetUp("owg0", Token);
            await Ip("route add 10.9.0.0/16 dev owg0 table 201 proto static");
            await Ip("route add 10.8.0.0/16 dev owg0 table 202 proto 201");
            await Ip("rule add from 10.7.0.0/16 lookup 201 pref 300");

            await links.ReplaceRoute(ours, Token);
            await links.AddRule(IPPrefix.Parse("10.244.1.0/24"), Token);

            Assert.Equal([ours], await links.GetRoutes(Token));
            Assert.Equal([IPPrefix.Parse("10.244.1.0/24")], await links.GetRules(Token));
            var route = Assert.Single(Parse(await Ip("-j -N route show table 201 proto 201")));
            Assert.Equal("10.244.2.0/24", route.GetProperty("dst").GetString());
            Assert.Equal("owg0", route.GetProperty("dev").GetString());
            var rule = Assert.Single(
                Parse(await Ip("-j -N rule show")), rule => rule.GetProperty("priority").GetInt32() == RouteTable.RulePriority);
            Assert.Equal("10.244.1.0", rule.GetProperty("src").GetString());
            Assert.Equal("201", rule.GetProperty("table").GetString());

            await links.DeleteRoute(ours, Token);
            await links.DeleteRule(IPPrefix.Parse("10.244.1.0/24"), Token);
            Assert.Single(Parse(await Ip("-j -N route show table 201")));
            Assert.Single(Parse(await Ip("-j -N route show table 202")));
            Assert.Single(Parse(await Ip("-j -N rule show")), r => r.GetProperty("priority").GetInt32() == 300);
        });
    }

    [Fact]
    public async Task TryGetPath_RouteWithItsOwnMtu_IsThatOne()
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.Create("mtu", Token);
        await space.Run(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            await links.CreateLink("owg0", "veth", Token);
            await links.SetUp("owg0", Token);
            await Ip("route add 10.9.0.0/16 dev owg0 mtu 1350");
            await Ip("route add unreachable 10.8.0.0/16");
            await Ip("route add prohibit 10.7.0.0/16");
            await Ip("route add blackhole 10.6.0.0/16");
            await Ip("-6 route add unreachable fd00:8::/32");

            Assert.Equal(1350, (await links.TryGetPath(IPAddress.Parse("10.9.0.1"), Token))?.Mtu);
            foreach (var address in Refused)
            {
                Assert.Null((await links.TryGetPath(IPAddress.Parse(address), Token))?.Mtu);
            }
        });
    }

    private static void SkipWithoutRoot() => Assert.SkipUnless(Environment.IsPrivilegedProcess, "network namespaces need root");

    private static List<JsonElement> Parse(string json) =>
        [.. JsonDocument.Parse(json.Length == 0 ? "[]" : json).RootElement.EnumerateArray()];

    private static async Task<string> Ip(string arguments)
    {
        using var ip = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardOutput = true })!;
        var output = await ip.StandardOutput.ReadToEndAsync(Token);
        await ip.WaitForExitAsync(Token);
        Assert.Equal(0, ip.ExitCode);
        return output;
    }
}
