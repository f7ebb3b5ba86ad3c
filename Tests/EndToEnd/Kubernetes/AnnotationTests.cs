using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// The annotation while the API server refuses it: how often it is asked, what is logged, and that it goes on when it may.
/// </summary>
[Trait("Kind", "Sockets")]
public sealed class AnnotationTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(20);

    private readonly string _node = $"t-{Guid.NewGuid():N}"[..14];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_RefusedForHours_AsksEverMoreRarelySaysSoOnceAMinuteAndEndsWithOneLine()
    {
        Assert.SkipWhen(cluster.IsReal, "only the test server makes a token invalid at once, which is how the silo gets another one here");
        await cluster.PostAsync("api/v1/nodes", new JsonObject { ["metadata"] = new JsonObject { ["name"] = _node } });
        var forbidden = await cluster.CreateUserAsync(new AccessRule(string.Empty, "nodes", ["list", "watch"]));
        var file = cluster.WriteToken(forbidden);
        var (log, time) = (new LogRecorder(), new WaitableTimeProvider(TestMesh.Start));
        var watcher = new NodeWatcher(
            cluster.CreateApi(), Options.Create(new NodesOptions { Source = NodeSource.Node }), Options.Create(
                new NodeOptions { Name = _node }),
            TimeProvider.System, ApiCluster.Logger<NodeWatcher>());
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(log));
        var publisher = new AnnotationPublisher(
            cluster.CreateApi(tokenFile: file), watcher, Options.Create(new NodesOptions()),
            time, factory.CreateLogger<AnnotationPublisher>());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var watching = watcher.RunAsync(stop.Token);
        await foreach (var known in watcher.ChangesAsync(stop.Token))
        {
            if (known.Nodes.ContainsKey(_node))
            {
                break;
            }
        }

        // Two hours with a key every 20 s, none of which may be written.
        publisher.Publish(TestMesh.Key(1));
        var publishing = publisher.RunAsync(_node, stop.Token);
        List<TimeSpan> asked = [];
        var end = TimeSpan.FromHours(2);
        for (var (passed, keys) = (TimeSpan.Zero, 1); passed < end;)
        {
            var left = await time.NextWaitAsync(Token);
            if (asked.Count < cluster.Server.Requests.Count("PATCH", _node))
            {
                asked.Add(passed);
            }

            // Up to the next key or the end of the pause, whichever comes first.
            var untilKey = (Period * keys) - passed;
            var step = untilKey < left ? untilKey : left;
            passed += step;
            time.Advance(step);
            if (passed == Period * keys)
            {
                publisher.Publish(TestMesh.Key(++keys));
            }
        }

        var pauses = asked.Zip(asked.Skip(1), (from, to) => to - from).ToList();
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{asked.Count} requests in {end}, after pauses of {string.Join(' ', pauses.Select(pause => (int)pause.TotalSeconds))} s");
        Assert.InRange(asked.Count, 2, 45);
        Assert.All(pauses, pause => Assert.InRange(pause, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(375)));
        Assert.True(pauses[^1] > TimeSpan.FromMinutes(3), "the pauses did not grow");

        // Once a minute at most: within the first one it was asked at least four times.
        var warnings = log.Lines.Where(line => line.StartsWith("Warning", StringComparison.Ordinal)).ToList();
        Assert.InRange(warnings.Count, 2, asked.Count - 3);
        Assert.All(warnings, line => Assert.Contains(
            "RBAC does not allow the verb \"patch\" on resource \"nodes\"", line, StringComparison.Ordinal));
        Assert.All(asked.Skip(1).Zip(asked.Skip(2), (from, to) => to - from)
            .TakeLast(5), pause => Assert.True(pause > TimeSpan.FromMinutes(1)));
        Assert.Empty(log.Exceptions);

        // Somebody gives the right.
        await File.WriteAllTextAsync(
            file, await cluster.CreateUserAsync(new AccessRule(string.Empty, "nodes", ["list", "watch", "patch"])), Token);
        cluster.Server.ExpireToken(forbidden);
        var written = AnnotatedAsync();
        while (!written.IsCompleted)
        {
            time.Advance(TimeSpan.FromMinutes(1));
            await Task.WhenAny(written, Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token));
        }

        // The server has it before the publisher hears so.
        await written;
        while (!log.Lines.Any(line => line.Contains("Published", StringComparison.Ordinal)))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Token);
        }

        Assert.Single(log.Lines, line => line.Contains("can be written again", StringComparison.Ordinal));
        await stop.CancelAsync();
        await Task.WhenAll(watching, publishing);
        await cluster.SendAsync(HttpMethod.Delete, $"api/v1/nodes/{_node}");
    }

    // Nobody looks for half a minute, neither probe nor operator; the first who does is told.
    [Fact]
    public async Task Follow_AfterADeferral_ShowsTheKeyThatCarriesTrafficAndCountsFromTheFirstDifference()
    {
        Assert.SkipWhen(cluster.IsReal, "takes the name node-1");
        const string Forged = """{"metadata":{"name":"node-1","annotations":{"network.cilium.io/wg-pub-key":"forged"}}}""";
        await cluster.PostAsync("api/v1/nodes", JsonNode.Parse(Forged)!.AsObject());
        using var identity = new Identity();
        var announced = identity.Sign(TestMesh.Announce(1) with
        {
            Slots =
            [
                new SlotAnnouncement(Slot.Zero, TestMesh.Key(1), new Epoch(1), TestMesh.ListenPort) { ServesEpoch = new Epoch(3) },
                new SlotAnnouncement(Slot.One, TestMesh.Key(2), new Epoch(2), TestMesh.ListenPort),
            ],
        });
        var (time, roster, own) = (new SettableTime(), new FakeRosterSource(0), new OwnAnnouncement());
        roster.Set(TestMesh.Roster(1));
        var store = TestMesh.Store(roster, new FakeMembership(1), time);
        var differences = new AnnotationDifferences(time);
        var options = Options.Create(new NodesOptions { Source = NodeSource.Node });
        var node = Options.Create(new NodeOptions { Name = "node-1" });
        var watcher = new NodeWatcher(cluster.CreateApi(), options, node, TimeProvider.System, ApiCluster.Logger<NodeWatcher>());
        var publisher = new AnnotationPublisher(
            cluster.CreateApi(), watcher, options, TimeProvider.System, ApiCluster.Logger<AnnotationPublisher>());
        using var source = new KubernetesRosterSource(watcher, node, differences, ApiCluster.Loops(out _));
        using var follower = new AnnotationFollower(
            publisher, differences, watcher, own, store, new FakeMembership(1), ApiCluster.Loops(out _));
        await follower.StartAsync(Token);
        await source.StartAsync(Token);
        await foreach (var known in watcher.ChangesAsync(Token))
        {
            if (known.IsSynced)
            {
                break;
            }
        }

        Assert.Equal(AnnouncementOutcome.Held, store.Offer(announced).Outcome);
        time.Elapsed += TimeSpan.FromSeconds(31);
        Assert.Contains(
            $"not the announced {TestMesh.Key(1).ToShortString()}", source.FindProblems("node-1", announced).ToText(), StringComparison.Ordinal);

        own.Begin(announced, TestMesh.Start);
        await foreach (var known in watcher.ChangesAsync(Token))
        {
            if (known.Nodes["node-1"].AnnotatedKey is not "forged" and var annotated)
            {
                Assert.Equal(TestMesh.Key(1).ToString(), annotated);
                break;
            }
        }

        Assert.DoesNotContain("annotation", source.FindProblems("node-1", announced).ToText() ?? "", StringComparison.Ordinal);
        await source.StopAsync(Token);
        await follower.StopAsync(Token);
        await cluster.SendAsync(HttpMethod.Delete, "api/v1/nodes/node-1");
    }

    [Theory]
    [InlineData(0, 0.0, 4.0)]
    [InlineData(0, 0.9, 4.0)]
    [InlineData(1, 0.0, 3.0)]
    [InlineData(1, 0.5, 4.0)]
    [InlineData(2, 0.5, 8.0)]
    [InlineData(4, 0.5, 32.0)]
    [InlineData(8, 0.5, 300.0)]
    [InlineData(10_000, 0.0, 225.0)]
    [InlineData(int.MaxValue, 0.5, 300.0)]
    public void Pause_Refusals_DoublesUpToFiveMinutes(int refusals, double random, double seconds) =>
        Assert.Equal(seconds, AnnotationPublisher.Pause(TimeSpan.FromSeconds(4), refusals, random).TotalSeconds, precision: 6);

    private async Task AnnotatedAsync()
    {
        while (true)
        {
            var (code, text) = await cluster.SendAsync(HttpMethod.Get, $"api/v1/nodes/{_node}");
            Assert.True(code == HttpStatusCode.OK, text);
            if (JsonNode.Parse(text)!["metadata"]!["annotations"]?["network.cilium.io/wg-pub-key"] is not null)
            {
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
        }
    }
}
