using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using NamedNamespace = Orleans.WireGuard.LocalMesh.Processes.NetworkNamespace;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>A mesh of three nodes with IPv4 and IPv6, strict, in which nothing rotates.</summary>
public sealed class DualStackMeshFixture() : QuietMeshFixture(new MeshPlan("owgs", 3, 103, 247, isDualStack: true));

/// <summary>
/// What happens below a mesh, and what one bad node can do to it: each test shows what the silo does or says, and that the rest of the mesh
/// goes on. With real WireGuard and real packets.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class DualStackMeshTests(DualStackMeshFixture fixture, ITestOutputHelper output) : IClassFixture<DualStackMeshFixture>
{
    // Well below the resync of 30 s, which would repair all of it: who is this fast was told.
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TimeProvider Time => TimeProvider.System;

    private MeshHarness Mesh => fixture.Mesh;

    private NodePlan First => Mesh.Plan.Nodes[0];

    private NodePlan Second => Mesh.Plan.Nodes[1];

    private NodePlan Third => Mesh.Plan.Nodes[2];

    [Fact]
    public async Task Mtu_UnderlayChanges_IsFollowedAtOnce()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);
        Assert.Equal("1420", await Underlay.ReadMtuAsync(Mesh, First));
        try
        {
            var took = await Underlay.NarrowAsync(Mesh, 1400, "1320", AtOnce);
            output.WriteLine($"1500 to 1400: followed after {took.TotalMilliseconds:0} ms");

            // As large as the device takes and not to be cut in pieces; one byte more is refused.
            Assert.True(await PingAsync(First, Second.PodAddress, "-M", "do", "-s", Payload(1320, isIPv6: false)));
            Assert.True(await PingAsync(First, Second.IPv6!.PodAddress, "-M", "do", "-s", Payload(1320, isIPv6: true)));
            Assert.False(await PingAsync(First, Second.PodAddress, "-M", "do", "-s", Payload(1321, isIPv6: false)));
        }
        finally
        {
            var took = await Underlay.NarrowAsync(Mesh, 1500, "1420", AtOnce);
            output.WriteLine($"1400 to 1500: followed after {took.TotalMilliseconds:0} ms");
        }
    }

    [Fact]
    public async Task Mtu_UnderlayTooNarrowForIPv6_StaysAt1280AndSaysSo()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);
        try
        {
            await Underlay.NarrowAsync(Mesh, 1300, "1280", AtOnce);

            // The device may be seen before the line is in the file.
            var line = $"too narrow for IPv6 through {await DeviceAsync(First)}";
            for (var started = TimeProvider.System.GetTimestamp(); !(await ReadLogAsync(First)).Contains(line, StringComparison.Ordinal);)
            {
                Assert.True(TimeProvider.System.GetElapsedTime(started) < AtOnce, $"The log does not say '{line}'.");
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
            }

            Assert.True(await PingAsync(First, Second.PodAddress, "-s", Payload(1280, isIPv6: false)));
            Assert.True(await PingAsync(First, Second.IPv6!.PodAddress, "-s", Payload(1280, isIPv6: true)));
        }
        finally
        {
            await Underlay.NarrowAsync(Mesh, 1500, "1420", AtOnce);
        }
    }

    [Theory]
    [InlineData("delete table inet {table}")]
    [InlineData("flush ruleset")]
    [InlineData("delete element inet {table} remote4 { {cidr} }")]
    [InlineData("insert rule inet {table} forward accept")]
    public async Task Firewall_ChangedBySomebodyElse_IsRepairedAtOnce(string command)
    {
        LocalMeshCollection.SkipUnlessPossible();

        // The mesh is ready before every node has heard of the others' own addresses, which are no pods' and spared, and a device that was
        // made anew has its own chains a look later: what is compared must not grow meanwhile.
        var wanted = "";
        await UntilAsync(
            async () => IsWhole(wanted = await ReadTablesAsync(), await ReadLinksAsync()), Patience, "the tables are whole", () => wanted);
        wanted = Sorted(wanted);

        var line = command.Replace("{table}", FirewallTable.Name, StringComparison.Ordinal)
            .Replace("{cidr}", Second.PodCIDR.ToString(), StringComparison.Ordinal);
        (await Mesh.RunAsync(First, Token, "nft", line)).EnsureSuccess();

        var found = "";
        var took = await UntilAsync(
            async () => (found = Sorted(await ReadTablesAsync())) == wanted,
            AtOnce,
            $"'{line}' is repaired",
            () => Difference(wanted, found));
        output.WriteLine($"{line}: repaired after {took.TotalMilliseconds:0} ms");

        // What is spared is listed by our table, and cut out of the ranges by the witness's.
        bool IsWhole(string tables, string links)
        {
            var each = $"\n{tables}".Split("\ntable ");
            var (drops, witness) = (each.FirstOrDefault(IsOf("inet")) ?? "", each.FirstOrDefault(IsOf("netdev")) ?? "");
            return CountsDevices(witness, links) && new[] { Second, Third }
                .SelectMany(node => new[] { (node.PodCIDR, node.PodGateway), (node.IPv6!.PodCIDR, node.IPv6.PodGateway) })
                .All(spared => !witness.Contains($"{spared.PodCIDR}", StringComparison.Ordinal)
                    && Regex.IsMatch(drops, $@"set spared[^}}]*[\s{{]{Regex.Escape($"{spared.PodGateway}")}[\s,]"));
        }

        static Func<string, bool> IsOf(string family) =>
            table => table.StartsWith($"{family} {FirewallTable.Name} ", StringComparison.Ordinal);

        static string Difference(string wanted, string found)
        {
            var (before, after) = (wanted.Split('\n'), found.Split('\n'));
            return string.Join(" | ", before.Except(after).Select(line => $"- {line}").Concat(after.Except(before).Select(line => $"+ {line}")));
        }

        static bool CountsDevices(string tables, string links) =>
            MeshPlan.DeviceNames.Where(name => links.Contains($" {name}: ", StringComparison.Ordinal))
                .All(name => tables.Contains($"device \"{name}\"", StringComparison.Ordinal));

        async Task<string> ReadLinksAsync() => (await Mesh.RunAsync(First, Token, "ip", "-o", "link")).EnsureSuccess().Output;

        async Task<string> ReadTablesAsync() =>
            (await Mesh.RunAsync(First, Token, "nft", "--stateless", "list", "ruleset")).EnsureSuccess().Output;

        // nft lists tables, and chains in them, in the order in which they were made, and what is repaired may be made anew.
        static string Sorted(string tables) => Sort(
            Regex.Replace(tables, "^table .*$", "$0\n", RegexOptions.Multiline), "\n}\n", table => Sort(table, "\n\n", chain => chain));

        static string Sort(string text, string separator, Func<string, string> each) =>
            string.Join(separator, text.Split(separator).Select(each).Order(StringComparer.Ordinal));
    }

    // The kernel tells nobody, so this waits for the next read of the device, a second at most.
    [Fact]
    public async Task ListenPort_TakenWhileRunning_IsSaidAndTakenBackWhenFree()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);
        var device = await DeviceAsync(First);
        var before = (await ReadLogAsync(First)).Length;
        using (var socket = NamedNamespace.Run(
            First.Namespace, () => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)))
        {
            await UntilAsync(
                async () =>
                {
                    // Each time: the silo may have taken it back before we could.
                    (await Mesh.RunAsync(First, Token, "wg", "set", device, "listen-port", "52000")).EnsureSuccess();
                    try
                    {
                        socket.Bind(new IPEndPoint(IPAddress.Any, ActiveDevice.Port(device)));
                        return true;
                    }
                    catch (SocketException)
                    {
                        return false;
                    }
                },
                AtOnce,
                "the port is ours");

            await UntilAsync(
                async () => (await ReadLogAsync(First))[before..]
                    .Contains("the UDP port is in use; find its owner with 'ss -lunp'", StringComparison.Ordinal),
                Patience,
                "the silo says so");
            await UntilPodsReachAsync((Second, Third), (Third, Second));
        }

        // From the other port pods reach each other too: whoever is sent to follows.
        await UntilAsync(
            async () => (await Mesh.RunAsync(First, Token, "wg", "show", device, "listen-port")).Output.Trim()
                == ActiveDevice.Port(device).ToString(CultureInfo.InvariantCulture),
            Patience,
            "the port is taken back");
        await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);
    }

    // Again and again, so that it also goes between a read and the write that follows from it.
    [Fact]
    public async Task Device_DeletedAgainAndAgain_ComesBackAndNobodyElseNotices()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);
        var (device, deleted, started) = (await DeviceAsync(First), 0, Time.GetTimestamp());
        for (var i = 0; deleted < 10; i++)
        {
            Assert.True(Time.GetElapsedTime(started) < Patience, $"only {deleted} times there was a device to delete in {Patience}");
            deleted += (await Mesh.RunAsync(First, Token, "ip", "link", "delete", device)).ExitCode == 0 ? 1 : 0;
            await Task.Delay(TimeSpan.FromMilliseconds(20 + (i * 7 % 100)), Time, Token);
            if (i % 10 == 0)
            {
                Assert.True(await PingAsync(Second, Third.PodAddress) && await PingAsync(Third, Second.IPv6!.PodAddress));
            }
        }

        var took = await UntilAsync(async () => await PingAsync(First, Second.PodAddress)
            && await PingAsync(Third, First.IPv6!.PodAddress), Patience, "the device is back");
        output.WriteLine($"deleted {deleted} times; pods reach each other {took.TotalSeconds:0.0} s after the last time");
        Assert.True(Mesh.Silo(First) is { IsAlive: true });
        await fixture.Starter.WaitReadyAsync([First], Token);
        await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);
    }

    [Fact]
    public Task Addresses_OfAnotherNode_AreHeldBackAndTheRestGoesOn() => WithThirdAsync(
        configuration =>
        {
            // What node 3 takes for its own pods are those of node 1.
            var nodes = configuration["Nodes"]!["Static"]!.AsArray();
            nodes[0]!["PodCIDRs"] = new JsonArray("10.99.0.0/24");
            nodes[2]!["PodCIDRs"] = new JsonArray(First.PodCIDR.ToString(), First.IPv6!.PodCIDR.ToString());
        },
        async () =>
        {
            foreach (var node in new[] { First, Second })
            {
                await UntilAsync(
                    async () => (await ReadLogAsync(node)).Contains($"prefixes of {Third.Name} do not count here, {First.PodCIDR} among them", StringComparison.Ordinal),
                    Patience,
                    $"{node.Name} holds them back");
            }

            await UntilPodsReachAsync((First, Second), (Second, First));
            var allowed = (await Mesh.RunAsync(Second, Token, "wg", "show", await DeviceAsync(Second), "allowed-ips")).Output;
            Assert.Single(allowed.Split('\n'), line => line.Contains(First.PodCIDR.ToString(), StringComparison.Ordinal));

            // A silo that has much to do at the moment, as one that has just started, is shown without its status.
            var status = "";
            await UntilAsync(
                async () => (status = (await Mesh.RunAsync(First, Token, "owg", "status")).Output)
                    .Contains($"{Third.Name} announces {First.PodCIDR}, which does not count", StringComparison.Ordinal),
                Patience,
                "status says so");
            output.WriteLine(status);
        });

    [Fact]
    public Task Endpoint_IPv4MappedIPv6_IsReachedByIPv4() => WithThirdAsync(
        configuration =>
        {
            configuration["Node"]!["Address"] = Third.Address.ToString();
            configuration["Nodes"]!["Static"]![2]!["Addresses"] = new JsonArray(Third.Address.MapToIPv6().ToString());
        },
        async () =>
        {
            await fixture.Starter.WaitReadyAsync(Mesh.Plan.Nodes, Token);
            await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);

            // Restarted with the same key, the device of node 1 would keep the endpoint that it had; so it has to be made anew.
            (await Mesh.RunAsync(First, Token, "ip", "link", "delete", await DeviceAsync(First))).EnsureSuccess();
            await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);
            var device = await DeviceAsync(First);
            var endpoints = (await Mesh.RunAsync(First, Token, "wg", "show", device, "endpoints")).Output;
            Assert.Contains($"\t{Third.Address}:{ActiveDevice.Port(device)}\n", endpoints, StringComparison.Ordinal);
        });

    private static string Payload(int mtu, bool isIPv6)
    {
        const int EchoHeader = 8;
        return (mtu - EchoHeader - (isIPv6 ? 40 : 20)).ToString(CultureInfo.InvariantCulture);
    }

    // Restarts node 3 with a bad configuration, and afterwards with its own.
    private async Task WithThirdAsync(Action<JsonObject> spoil, Func<Task> body)
    {
        LocalMeshCollection.SkipUnlessPossible();
        await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);
        var file = Mesh.State.SiloConfiguration(Third);
        var good = await File.ReadAllTextAsync(file, Token);
        var configuration = JsonNode.Parse(good)!.AsObject();
        spoil(configuration);
        try
        {
            await RestartAsync(configuration.ToJsonString());
            await body();
        }
        finally
        {
            await RestartAsync(good);
        }

        await fixture.Starter.WaitReadyAsync(Mesh.Plan.Nodes, Token);
        await UntilPodsReachAsync([.. Mesh.Plan.OrderedPairs]);

        async Task RestartAsync(string text)
        {
            await Mesh.KillSiloAsync(Third, Token);
            await File.WriteAllTextAsync(file, text, Token);
            Mesh.StartSilo(Third);
        }
    }

    private Task<string> DeviceAsync(NodePlan node) => ActiveDevice.FindAsync(Mesh, node, Token);

    private Task<string> ReadLogAsync(NodePlan node) => File.ReadAllTextAsync(Mesh.State.SiloLog(node), Token);

    private async Task UntilPodsReachAsync(params IReadOnlyList<(NodePlan From, NodePlan To)> pairs)
    {
        foreach (var (from, to) in pairs)
        {
            foreach (var address in new[] { to.PodAddress, to.IPv6!.PodAddress })
            {
                await UntilAsync(() => PingAsync(from, address), Patience, $"{from.PodName} reaches {address}");
            }
        }
    }

    private static async Task<bool> PingAsync(NodePlan from, IPAddress to, params string[] options) =>
        (await Command.RunAsync(
            "ip", ["netns", "exec", from.PodNamespace, "ping", "-c", "1", "-W", "1", .. options, to.ToString()], Token)).ExitCode == 0;

    private async Task<TimeSpan> UntilAsync(Func<Task<bool>> condition, TimeSpan limit, string what, Func<string>? explain = null)
    {
        var started = Time.GetTimestamp();
        while (!await condition())
        {
            Assert.True(
                Time.GetElapsedTime(started) < limit,
                $"Not within {limit}: {what}. {explain?.Invoke()}\nLog of {First.Name}:\n{LogTail.Read(Mesh.State.SiloLog(First))}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), Time, Token);
        }

        return Time.GetElapsedTime(started);
    }
}
