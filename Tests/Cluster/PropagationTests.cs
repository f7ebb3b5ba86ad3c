using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Cluster;

/// <summary>A key gets from the node that made it to every other device, whatever is lost or forged on the way.</summary>
public sealed class PropagationTests(ITestOutputHelper output)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Start_ThreeSilos_EveryDeviceHoldsEveryKeyAndRoute()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();

        foreach (var node in mesh.NodeNames)
        {
            var others = mesh.NodeNames.Where(other => other != node).ToList();
            Assert.Equal(others.Count, mesh.Devices(node).Peek("cilium_wg0")!.Peers.Count);
            await MeshCluster.EventuallyAsync(
                () => mesh.Links(node).Routes.Count(route => !route.IsUnreachable) == others.Count, $"the routes of {node}");
        }
    }

    [Fact]
    public async Task Rotate_ByVerb_ReachesEveryDeviceAndIsAcknowledged()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();
        var writes = mesh.Devices("node-1").KeyWrites;

        var receipt = await mesh.Node("node-0").Rotate(Token);
        await mesh.UntilAllAgreeAsync();

        Assert.NotEqual(receipt.OldPublicKey, receipt.NewPublicKey);
        Assert.Equal(receipt.NewPublicKey, mesh.Key("node-0"));
        Assert.Equal([receipt.NewPublicKey], mesh.HeldKeys("node-1", "node-0"));
        Assert.Equal(writes, mesh.Devices("node-1").KeyWrites);
        await MeshCluster.EventuallyAsync(
            () => mesh.Peer("node-0").GetDelivery(Token).Preserve().GetAwaiter()
                .GetResult().Receivers.All(receiver => receiver.Outcome == AnnouncementOutcome.Applied),
            "both receivers to acknowledge");
        var delivery = await mesh.Peer("node-0").GetDelivery(Token);
        Assert.Equal(receipt.Sequence, delivery.Sequence);
        Assert.Equal(["node-1", "node-2"], delivery.Receivers.Select(receiver => receiver.NodeName));
    }

    [Fact]
    public async Task Rotation_ByTheClock_GivesEveryNodeANewKeyInEachEpoch()
    {
        var period = TimeSpan.FromSeconds(120);
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 1, 0, TimeSpan.Zero));
        await using var mesh = await MeshCluster.StartAsync(3, clock, period);
        await mesh.UntilAllAgreeAsync();
        var seen = mesh.NodeNames.ToDictionary(
            node => node, node => new HashSet<PublicKey?> { mesh.Key(node, Slot.Zero), mesh.Key(node, Slot.One) });

        for (var epoch = 1; epoch <= 5; epoch++)
        {
            clock.Advance(period);
            var slot = Epoch.At(clock.GetUtcNow(), period).Slot;
            foreach (var node in mesh.NodeNames)
            {
                // A grain that was still busy when the clock leapt arms its timer for a moment later, so the clock has to go on a little.
                await MeshCluster.EventuallyAsync(
                    () =>
                    {
                        clock.Advance(TimeSpan.FromMilliseconds(5));
                        return seen[node].Add(mesh.Key(node, slot));
                    },
                    $"key {epoch + 2} of {node}");
            }

            await mesh.UntilAllAgreeAsync();
        }

        Assert.All(seen.Values, keys => Assert.Equal(7, keys.Count));
        Assert.Equal(21, seen.Values.SelectMany(keys => keys).Distinct().Count());
        Assert.Equal(5, (await mesh.Node("node-0").GetStatus(Token)).Rotations);
    }

    [Fact]
    public async Task Delivery_LosesEveryMessageToOneNode_HealsByAntiEntropyWithin10Seconds()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();
        var deaf = mesh.Services("node-2").GetRequiredService<ILocalSiloDetails>().SiloAddress;
        var clients = mesh.NodeNames.Select(node => mesh.Services(node).GetRequiredService<LossyPeerServiceClient>()).ToList();
        clients.ForEach(client => client.IsLost = (silo, _) => silo == deaf);

        var started = TimeProvider.System.GetTimestamp();
        var receipt = await mesh.Node("node-0").Rotate(Token);
        await MeshCluster.EventuallyAsync(() => mesh.HeldKeys("node-2", "node-0").Contains(receipt.NewPublicKey), "the lost key to arrive");
        var healed = TimeProvider.System.GetElapsedTime(started);

        output.WriteLine($"healed after {healed.TotalSeconds:0.00} s, {clients.Sum(client => client.Lost)} messages lost");
        Assert.True(clients.Sum(client => client.Lost) > 0, "no message was lost, so nothing was healed");
        Assert.True(healed < TimeSpan.FromSeconds(10), $"took {healed}");
    }

    [Fact]
    public async Task Delivery_FirstAttemptsLost_IsRetriedUntilAcknowledged()
    {
        await using var mesh = await MeshCluster.StartAsync(2);
        await mesh.UntilAllAgreeAsync();
        var remaining = 3;
        var client = mesh.Services("node-0").GetRequiredService<LossyPeerServiceClient>();
        client.IsLost = (_, _) => Interlocked.Decrement(ref remaining) >= 0;

        await mesh.Node("node-0").Rotate(Token);

        // Anti-entropy may bring the key before, or lose it in place of the PeerGrain, which goes on until it is acknowledged all the same.
        await MeshCluster.EventuallyAsync(
            () => mesh.Peer("node-0").GetDelivery(Token).Preserve().GetAwaiter()
                .GetResult().Receivers[0] is { Outcome: AnnouncementOutcome.Applied, Attempts: > 1 },
            "the receiver to acknowledge after three lost messages");
        Assert.Equal(3, client.Lost);
        Assert.True(mesh.AllAgree());
    }

    [Fact]
    public async Task Receive_Forgeries_AreRefusedCountedAndChangeNothing()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();
        var before = mesh.HeldKeys("node-2", "node-1");
        var genuine = (await mesh.Peer("node-1").GetAnnouncement(Token))!;
        var other = (await mesh.Peer("node-0").GetAnnouncement(Token))!;
        using var forger = new Identity();
        var newer = genuine.Sequence with { Revision = genuine.Sequence.Revision + 1 };

        await SendAsync(
            mesh, forger.Sign(genuine with { Sequence = genuine.Sequence with { Revision = 0 } }), AnnouncementOutcome.StaleSequence);
        await SendAsync(mesh, forger.Sign(
            genuine with { Sequence = newer, Slots = [genuine.Slots[0] with { PublicKey = default }] }), AnnouncementOutcome.ZeroKey);
        await SendAsync(mesh, forger.Sign(genuine with { Sequence = newer, Slots = other.Slots }), AnnouncementOutcome.KeyOfAnotherNode);
        await SendAsync(mesh, forger.Sign(genuine with { Sequence = newer, Endpoints = other.Endpoints }), AnnouncementOutcome.NotInRoster);
        await SendAsync(mesh, genuine with { Sequence = newer }, AnnouncementOutcome.BadSignature);
        await SendAsync(mesh, forger.Sign(genuine with { NodeName = "node-of-nobody" }), AnnouncementOutcome.UnknownNode);
        await SendAsync(mesh, forger.Sign(genuine with { Endpoints = [] }), AnnouncementOutcome.Malformed);

        Assert.Equal(before, mesh.HeldKeys("node-2", "node-1"));
        var status = await mesh.Node("node-2").GetStatus(Token);

        // A stale one is also what came by two paths, as it may at the start of a mesh.
        var others = status.Refusals.Where(refusal => refusal.Outcome != AnnouncementOutcome.StaleSequence).ToList();
        Assert.Equal((7, 6), (status.Refusals.Count, others.Count));
        Assert.All(others, refusal => Assert.Equal(1, refusal.Count));
        Assert.All(status.Refusals, refusal => Assert.NotEmpty(refusal.LastDetail));
    }

    [Fact]
    public async Task Receive_TwoSlots_LogsBothKeys()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();
        var announcement = Stranger(out var identity);
        using (identity)
        {
            var target = mesh.Services("node-2").GetRequiredService<ILocalSiloDetails>().SiloAddress;
            await mesh.Services("node-0").GetRequiredService<IPeerServiceClient>().ReceiveAsync(target, announcement);
        }

        var keys = string.Join(", ", announcement.Slots.Select(slot => slot.PublicKey.ToShortString()));
        Assert.Contains($"Information: Accepted announcement {announcement.Sequence} of node-9: keys {keys}", mesh.Logs.Lines);
    }

    [Fact]
    public async Task Receive_RefusedAgainAndAgain_IsLoggedOnceAndCountedEachTime()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();
        var announcement = Stranger(out var identity) with { Sequence = new AnnouncementSequence(new Epoch(1), 9) };
        using (identity)
        {
            for (var i = 0; i < 5; i++)
            {
                await SendAsync(mesh, announcement, AnnouncementOutcome.BadSignature);
            }
        }

        Assert.Single(mesh.Logs.Lines, line => line.StartsWith(
            "Warning: Refused an announcement of node-9, BadSignature: ", StringComparison.Ordinal));
        Assert.Equal(5, Assert.Single(
            (await mesh.Node("node-2").GetStatus(Token)).Refusals, refusal => refusal.Outcome == AnnouncementOutcome.BadSignature).Count);
    }

    [Fact]
    public async Task Publish_RefusedByTheReceiver_IsLoggedOnceAndTriedOn()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();

        var roster = (FakeRosterSource)mesh.Services("node-2").GetRequiredService<INodeRosterSource>();
        roster.Set(NodeRoster.Of(roster.Current!.Nodes.Values.Where(node => node.NodeName != "node-1")));
        var receipt = await mesh.Node("node-1").Rotate(Token);

        await MeshCluster.EventuallyAsync(
            () => mesh.Peer("node-1").GetDelivery(Token).Preserve().GetAwaiter()
                .GetResult().Receivers.Single(receiver => receiver.NodeName == "node-2")
                is { Outcome: AnnouncementOutcome.UnknownNode, Attempts: >= 3 },
            "node-1 to try on");
        Assert.Single(mesh.Logs.Lines, line => line.StartsWith(
            $"Warning: node-2 did not apply announcement {receipt.Sequence}: UnknownNode", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Restart_WithAClockThatWentBack_StillAnnouncesAboveItsFormerSelf()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();
        var ahead = mesh.Services("node-0").GetRequiredService<AnnouncementStore>();
        var genuine = ahead.Announcements["node-1"];
        await mesh.KillAsync("node-1");

        // What a former self with a clock ten epochs ahead would have left behind on the others.
        using var formerSelf = new Identity();
        var future = new AnnouncementSequence(new Epoch(genuine.Sequence.Epoch.Value + 10), 5);
        var left = formerSelf.Sign(genuine with { Sequence = future });
        Assert.All(
            new[] { "node-0", "node-2" },
            node => Assert.Equal(
                AnnouncementOutcome.Held, mesh.Services(node).GetRequiredService<AnnouncementStore>().Offer(left).Outcome));

        await mesh.StartSiloAsync("node-1");
        await MeshCluster.EventuallyAsync(
            () => mesh.Announced("node-0", "node-1")?.Sequence > future, "node-1 to announce above its former self");
        await mesh.UntilAllAgreeAsync();
        Assert.Equal(genuine.Slots[0].PublicKey, mesh.Key("node-1", genuine.Slots[0].Slot));

        var announcement = await mesh.Peer("node-1").GetAnnouncement(Token);
        Assert.True(announcement!.Sequence > future, $"{announcement.Sequence} is not above {future}");
    }

    // The key counts for the epoch it was made in, which the others know, and not for the one in which it was adopted.
    [Fact]
    public async Task Restart_AfterItsKeyFellDue_AdoptsItAndReplacesItAtOnce()
    {
        var period = TimeSpan.FromSeconds(120);
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 1, 0, TimeSpan.Zero));
        await using var mesh = await MeshCluster.StartAsync(3, clock, period);
        await mesh.UntilAllAgreeAsync();
        var due = Epoch.At(clock.GetUtcNow() + period, period).Slot;
        var (left, other) = (mesh.Key("node-1", due), mesh.Key("node-0", due));
        await mesh.KillAsync("node-1");
        clock.Advance(period);
        await MeshCluster.EventuallyAsync(
            () =>
            {
                // A grain that was still busy when the clock leapt arms its timer for a moment later.
                clock.Advance(TimeSpan.FromMilliseconds(5));
                return mesh.Key("node-0", due) != other;
            },
            "node-0 to rotate");
        Assert.Equal(left, mesh.Key("node-1", due));

        await mesh.StartSiloAsync("node-1");
        await MeshCluster.EventuallyAsync(
            () => mesh.Key("node-1", due) != left, "node-1 to replace the key that was due while it was down");
        await mesh.UntilAllAgreeAsync();

        // One key was replaced, so one was adopted: the first of a silo does not count.
        Assert.Equal(1, (await mesh.Node("node-1").GetStatus(Token)).Rotations);
    }

    // Whoever reaches a gateway can call a PeerGrain.
    [Fact]
    public async Task Publish_SignedBySomebodyElse_IsRefusedAndChangesNothing()
    {
        await using var mesh = await MeshCluster.StartAsync(2);
        await mesh.UntilAllAgreeAsync();
        var genuine = (await mesh.Peer("node-1").GetAnnouncement(Token))!;
        using var forger = new Identity();
        var forged = forger.Sign(genuine with { Sequence = genuine.Sequence with { Revision = genuine.Sequence.Revision + 1 } });

        Assert.Equal(AnnouncementOutcome.BadSignature, (await mesh.Peer("node-1").Publish(forged, Token)).Outcome);
        Assert.Equal(AnnouncementOutcome.UnknownNode, (await mesh.Peer("node-0").Publish(forged, Token)).Outcome);

        Assert.Equal(genuine, await mesh.Peer("node-1").GetAnnouncement(Token));
        Assert.True(mesh.AllAgree());
    }

    [Fact]
    public async Task Receive_OwnAnnouncementWithAnImpossibleSequence_DoesNotMuteTheNode()
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();
        var genuine = (await mesh.Peer("node-2").GetAnnouncement(Token))!;
        using var forger = new Identity();

        await SendAsync(mesh, forger.Sign(
            genuine with { Sequence = new AnnouncementSequence(new Epoch(long.MaxValue), long.MaxValue) }), AnnouncementOutcome.Malformed);

        var receipt = await mesh.Node("node-2").Rotate(Token);
        await MeshCluster.EventuallyAsync(
            () => mesh.HeldKeys("node-0", "node-2").Contains(receipt.NewPublicKey), "the next key of node-2 to be taken");
    }

    // From a picture of the devices that is old, a key that a peer depends on by now could be replaced.
    [Fact]
    public async Task Advance_DevicesCannotBeRead_ReplacesNoKey()
    {
        await using var mesh = await MeshCluster.StartAsync(2);
        await mesh.UntilAllAgreeAsync();
        var ring = mesh.Services("node-0").GetRequiredService<KeyRing>();
        var keys = ring.Keys;
        var devices = mesh.Devices("node-0");
        var made = devices.Calls.Count;
        foreach (var call in Enumerable.Range(made + 1, 1_000))
        {
            devices.FailCall(call);
        }

        await Assert.ThrowsAsync<RotationFailedException>(() => mesh.Node("node-0").Advance(Token));

        Assert.True(devices.Calls.Count > made);
        Assert.Equal(keys, ring.Keys);
    }

    // A node of the roster that has no silo.
    private static PeerAnnouncement Stranger(out Identity identity)
    {
        identity = new Identity();
        return identity.Sign(TestMesh.Announce(9) with
        {
            Slots =
            [
                new SlotAnnouncement(Slot.Zero, TestMesh.Key(90), new Epoch(1), TestMesh.ListenPort),
                new SlotAnnouncement(Slot.One, TestMesh.Key(91 << 24), new Epoch(1), TestMesh.ListenPort + 1),
            ],
            Endpoints = FakeRosterSource.Node(9).Addresses,
            AllowedIPs = FakeRosterSource.Node(9).PodCIDRs,
        });
    }

    private static async Task SendAsync(MeshCluster mesh, PeerAnnouncement announcement, AnnouncementOutcome expected)
    {
        var target = mesh.Services("node-2").GetRequiredService<ILocalSiloDetails>().SiloAddress;
        var receipt = await mesh.Services("node-0").GetRequiredService<IPeerServiceClient>().ReceiveAsync(target, announcement);
        Assert.Equal(expected, receipt.Outcome);
    }
}
