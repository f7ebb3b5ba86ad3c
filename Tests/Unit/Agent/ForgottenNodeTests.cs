using System.Reflection;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>
/// Of a node that has left, nothing is remembered: names come and go with autoscaling, and what was known of one is shown, and counted, for
/// ever.
/// </summary>
public sealed class ForgottenNodeTests
{
    // Every field that remembers nodes, their keys, silos or addresses from one moment to the next, and who sees to it that it forgets
    // them. The test below fails if one is missing here.
    private static readonly Dictionary<string, string> Owners = new()
    {
        ["ApiConnection._kubeConfigs"] = "chosen once",
        ["AnnotationDifferences._since"] = "AnnotationFollower, with the nodes' objects",
        ["AddressAnnouncer._inFlight"] = "Step, with the members",
        ["AddressBook+Draft._granted"] = "lives for one change",
        ["AddressBook+Draft._heldBack"] = "lives for one change",
        ["AddressBook+Draft._released"] = "lives for one change",
        ["AddressBook+Draft.Announcements"] = "lives for one change",
        ["AddressBook.Announcements"] = "AddressStore.ForgetAbsent",
        ["AddressBook.Granted"] = "AddressStore.ForgetAbsent",
        ["AddressBook._heldBack"] = "AddressStore.ForgetAbsent",
        ["AnnouncementStore._claims"] = "AddressStore.ForgetAbsent",
        ["AnnouncementStore._explained"] = "AnnouncementStore.ForgetAbsent",
        ["AnnouncementStore+Dispute.Claims"] = "AddressStore.ForgetAbsent, and made anew with each change",
        ["LingeringPrefixes._goneSince"] = "Note, after five seconds",
        ["OwnAddresses._applied"] = "AddressAnnouncer.Step, with the members",
        ["AnnouncementIndex.Announcements"] = "AnnouncementStore.ForgetAbsent",
        ["AnnouncementIndex._keys"] = "AnnouncementStore.ForgetAbsent",
        ["Acceptance._lackSince"] = "Acceptance.Follow, with the members",
        ["Acceptance._held"] = "Acceptance.Follow, with the members",
        ["Acceptance._refusals"] = "Acceptance.Follow, with the members",
        ["AnnouncementStore+Dispute.Active"] = "AnnouncementStore.ForgetAbsent, and made anew with each change",
        ["ConnectionBudget._open"] = "entries go with the last connection of their address",
        ["OwnAnnouncement+Deliveries.Receivers"] = "PeerGrain, with the members",
        ["OwnAnnouncement._missing"] = "PeerGrain, with the members",
        ["OwnAnnouncement._missingOf"] = "PeerGrain, with the members",
        ["DeviceReconciler._formerEndpoints"] = "Apply, with the write that sets them again",
        ["EndpointChooser._announced"] = "Choose: what the device shall not have",
        ["EndpointChooser._heardFrom"] = "ForgetExcept, in each pass",
        ["EndpointTrials._trials"] = "Observe: what the device no longer holds",
        ["HandshakeAttempts._attempts"] = "ForgetExcept, in each pass",
        ["HandshakeAttempts._proven"] = "ForgetExcept, in each pass",
        ["HandshakeAttempts._wantedSince"] = "ForgetUnwanted, in each pass",
        ["HeartbeatStore+Snapshot.Times"] = "read anew with each list",
        ["HeartbeatStore._own"] = "has this silo's own rows only",
        ["JoiningSilos._since"] = "Spare: what the table no longer has",
        ["KernelWatch._destinations"] = "Keep, at each resync",
        ["NetlinkFirewall._deviceNames"] = "has this node's own devices only",
        ["KernelWatch._devices"] = "has this node's own devices only",
        ["KernelWatch.names"] = "has this node's own devices only",
        ["KeyPairClock._since"] = "Observe: what the device no longer holds",
        ["LogPace._reasons"] = "a thousand at most, and the old ones go first",
        ["MeshClock._readings"] = "NodeGrain.ForgetAbsent",
        ["MeshGrain._underWay"] = "removed when the answer is there",
        ["MeshMembers+Known.OtherNames"] = "made anew with each change of the membership",
        ["MeshMembers+Known.Others"] = "made anew with each change of the membership",
        ["MeshProtocol._said"] = "NodeGrain.ForgetAbsent",
        ["MoveTracker._nodes"] = "Note: who has no path",
        ["FormerDevices._names"] = "has this node's own devices only",
        ["RosterFacts.Endpoints"] = "made with the roster",
        ["RosterFacts.TunnelEnds"] = "made with the roster",
        ["RosterFacts.NodeAddresses"] = "made with the roster",
        ["SettingCatalogue._sections"] = "sections of the settings, made once",
        ["MtuReconciler._measuredAddresses"] = "replaced when the peers change",
        ["ClockLog._skewed"] = "replaced in each turn",
        ["PathSurvey._answers"] = "NodeGrain.ForgetAbsent",
        ["PeerGrain._inFlight"] = "PeerGrain, with the members",
        ["PrefixIndex._entries"] = "AnnouncementStore.ForgetAbsent, or made with the roster",
        ["RangeCheck._failures"] = "lives for one validation",
        ["ReceptionTracker._bytes"] = "Note: what the device no longer holds",
        ["ReceptionTracker._lastAt"] = "ForgetExcept, in each pass",
        ["ReconcilePass._nodePaths"] = "replaced in each pass",
        ["SilentPeers._silences"] = "Note: who does not count, in each pass",
        ["StateLog._states"] = "a thousand at most, and the old ones go first",
        ["UapiReader+PeerLines._allowedIPs"] = "lives for one reading",
        ["UnderlayPaths._paths"] = "Forget, at each resync",
        ["UnderlayPaths._probed"] = "Settle, at each resync",
        ["WatchedNodes.Nodes"] = "what the watch says",
        ["WayInspector._known"] = "replaced at each inspection",
        ["WayInspector._pods"] = "replaced at each inspection",
        ["WireGuardMessageReader+Peer.AllowedIPs"] = "lives for one reading",
    };

    private static readonly Type[] Names =
        [typeof(string), typeof(PublicKey), typeof(SiloAddress), typeof(System.Net.IPAddress), typeof(IPPrefix), typeof(HandshakePair)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Fields_ThatRememberNodes_HaveAnOwnerThatForgets()
    {
        var found = Product.Types.Where(Remembers)
            .SelectMany(
                type => type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                .Where(field => IsKeyedByANode(field.FieldType) && !IsOfAValue(type, field))
                .Select(field => $"{Name(type)}.{Property(field)}"))
            .ToHashSet(StringComparer.Ordinal);
        var (unknown, gone) = (string.Join(", ", found.Except(Owners.Keys)), string.Join(", ", Owners.Keys.Except(found)));
        Assert.True(unknown.Length + gone.Length == 0, $"nobody is said to forget {unknown}; there is no {gone}");
    }

    [Fact]
    public async Task Pass_NodeJoinsAndLeaves_KnowsNothingOfIt()
    {
        await using var mesh = new AgentHarness(TimeSpan.FromSeconds(1), slots: 2, [2, 3]);
        mesh.MakeKey();
        mesh.Store.MarkSynced();
        mesh.Announce(2);
        mesh.Announce(3);
        mesh.Publish(revision: 1, 2, 3);
        _ = await mesh.Pass.RunAsync(true, Token);
        var name = DeviceNames.Default.Of(Slot.Zero);
        mesh.Devices.ChangePeer(
            name, TestMesh.Key(3), peer => peer with { ReceiveBytes = 1_000, LastHandshakeTime = mesh.Time.GetUtcNow() });
        mesh.Links.SetReceivedPackets(name, 5);
        var known = await mesh.Pass.RunAsync(true, Token);
        Assert.Contains(known.Snapshot.Receptions, reception => reception.NodeName == TestMesh.Name(3));
        Assert.NotEmpty(Traces(mesh.Pass));

        mesh.Roster.Set(TestMesh.Roster(1, 2));
        mesh.Store.ForgetAbsent(mesh.Roster.Current!);
        mesh.Membership.Set(1, 2);
        mesh.Publish(revision: 2, 2);
        _ = await mesh.Pass.RunAsync(true, Token);
        _ = await mesh.Pass.RunAsync(true, Token);
        Assert.Empty(Traces(mesh.Pass));
        Assert.Empty(Traces(mesh.Store));
    }

    [Fact]
    public async Task NodeGrain_NodeJoinsAndLeaves_KnowsNothingOfIt()
    {
        using var node = new NodeGrainHarness(2, 3);
        using var identity = new Identity();
        Assert.Equal(AnnouncementOutcome.Held, node.Store.Offer(identity.Sign(TestMesh.Announce(3))).Outcome);
        node.Answer = new PathReply(null, node.Time.GetUtcNow().AddMinutes(10));
        await node.TurnAsync();
        Assert.Equal([TestMesh.Name(2), TestMesh.Name(3)], node.Clock.Skews.Select(skew => skew.NodeName));
        Assert.NotEmpty(Traces(node.Grain));

        node.Roster.Set(TestMesh.Roster(1, 2));
        node.Store.ForgetAbsent(node.Roster.Current!);
        node.Membership.Set(1, 2);
        await node.TurnAsync();
        Assert.Equal([TestMesh.Name(2)], node.Clock.Skews.Select(skew => skew.NodeName));
        Assert.Equal([TestMesh.Name(2)], (await node.Grain.GetStatus(Token)).Rotation.ClockSkews.Select(skew => skew.NodeName));
        Assert.Empty(Traces(node.Grain));
    }

    [Fact]
    public void Ledger_SiloIsGone_KnowsNothingOfIt()
    {
        var own = new OwnAnnouncement();
        var announcement = TestMesh.Announce(1);
        own.Begin(announcement, TestMesh.Start);
        foreach (var node in new[] { 2, 3 })
        {
            own.Record(
                announcement.Sequence, FakeMembership.Silo(node), TestMesh.Name(node), AnnouncementOutcome.Applied, null, TimeSpan.Zero);
        }

        own.ForgetExcept(new HashSet<SiloAddress> { FakeMembership.Silo(2) });
        Assert.Empty(Traces(own));
        Assert.True(own.HasApplied(FakeMembership.Silo(2)));
    }

    // Node 3 by name, key, silo and address.
    private static IEnumerable<string> Traces(object root) => Reachable.From(root).Where(found => found.Value switch
    {
        string name => name == TestMesh.Name(3),
        PublicKey key => key == TestMesh.Key(3),
        SiloAddress silo => silo.Equals(FakeMembership.Silo(3)),
        System.Net.IPAddress address => address.Equals(TestMesh.Address(3)),
        _ => false,
    }).Select(found => found.Path);

    // Values and what lives for one call are made anew each time. Verbs of the command line are such calls.
    private static bool Remembers(Type type) => type is { IsValueType: false, IsInterface: false }
        && type.Namespace?.StartsWith("Orleans.WireGuard", StringComparison.Ordinal) == true
        && type.Namespace?.EndsWith(".Cli", StringComparison.Ordinal) != true
        && !type.Name.Contains('<', StringComparison.Ordinal)
        && !type.Name.EndsWith("Options", StringComparison.Ordinal)
        && !typeof(Exception).IsAssignableFrom(type)
        && (type.GetMethod("<Clone>$") is null || type.IsNestedPrivate);

    private static bool IsKeyedByANode(Type type)
    {
        var element = type.GetInterfaces().Append(type).FirstOrDefault(face => face.IsGenericType
            && face.GetGenericTypeDefinition() == typeof(IEnumerable<>))?.GetGenericArguments()[0];
        if (type == typeof(string) || element is null || type.Name.StartsWith("EquatableArray", StringComparison.Ordinal) || type.IsArray)
        {
            return false;
        }

        var key = element.IsGenericType && element.GetGenericTypeDefinition() == typeof(KeyValuePair<,>)
            ? element.GetGenericArguments()[0]
            : element;
        return Names.Contains(key)
            || (typeof(System.Runtime.CompilerServices.ITuple).IsAssignableFrom(key) && key.GetGenericArguments().Any(Names.Contains));
    }

    // What is read from the API.
    private static bool IsOfAValue(Type type, FieldInfo field) =>
        !type.IsNestedPrivate && type.GetProperty(Property(field))?.SetMethod?.IsPublic == true;

    private static string Name(Type type) => type.DeclaringType is { } outer ? $"{Name(outer)}+{type.Name}" : type.Name;

    private static string Property(FieldInfo field) =>
        field.Name.StartsWith('<') ? field.Name[1..field.Name.IndexOf('>', StringComparison.Ordinal)] : field.Name;
}
