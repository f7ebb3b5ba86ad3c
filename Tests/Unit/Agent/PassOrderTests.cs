using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>The order in which a pass writes to firewall, routes and devices: each write is safe only after the one before it.</summary>
public sealed class PassOrderTests
{
    private const string NewDevice = "cilium_wg1";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // Invariant I7: refused before there is a device, connected when the device is what it should be.
    [Fact]
    public async Task Run_StrictFromNothing_RefusesThenConfiguresThenConnects()
    {
        await using var mesh = StrictMesh();
        var writes = Record(mesh);
        _ = await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(
            [
                "ReplaceRouteAsync 10.0.2.0/24 refused",
                "ReplaceRouteAsync 10.0.3.0/24 refused",
                "AddRuleAsync 10.0.1.0/24",
                "Create 10.0.2.0/24 10.0.3.0/24 | 10.0.1.0/24",
                "CreateDeviceAsync cilium_wg0",
                "SetLooseSourceCheckAsync cilium_wg0",
                "SetUpAsync cilium_wg0",
                "CreateDeviceAsync cilium_wg1",
                "SetLooseSourceCheckAsync cilium_wg1",
                "SetUpAsync cilium_wg1",
                "ConfigureAsync cilium_wg0",
                "SetMtuAsync cilium_wg0",
                "ConfigureAsync cilium_wg1",
                "Limit cilium_wg0=1440 cilium_wg1=1420",
                "ReplaceRouteAsync 10.0.2.0/24 cilium_wg0",
            ],
            writes);
    }

    // Both nodes have made a key for slot 1, and shake hands as soon as it is written: the route follows what the device proves then, in
    // the same pass.
    [Fact]
    public async Task Run_NewSlotIsProvenByTheWrite_MovesTheRouteBehindIt()
    {
        await using var mesh = StrictMesh();
        _ = await mesh.Pass.RunAsync(true, Token);
        _ = mesh.Ring.Replace(new SlotKey(Slot.One, KeyPair.Create(), new Epoch(2), mesh.Time.GetUtcNow()));
        mesh.Announce(TestMesh.Announce(2, revision: 1) with
        {
            Slots =
            [
                new SlotAnnouncement(Slot.Zero, TestMesh.Key(2), new Epoch(1), TestMesh.ListenPort),
                new SlotAnnouncement(Slot.One, TestMesh.Key(22), new Epoch(2), TestMesh.ListenPort + 1),
            ],
        });
        var writes = Record(mesh);
        var result = await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(
            [
                "ConfigureAsync cilium_wg1",
                "SetMtuAsync cilium_wg1",
                "Limit cilium_wg0=1440 cilium_wg1=1440",
                "ReplaceRouteAsync 10.0.2.0/24 cilium_wg1",
                "ReplaceRouteAsync 192.168.0.2/32 cilium_wg1",
            ],
            writes);
        Assert.Equal((Slot.Zero, Slot.One), result.Snapshot.Moves.Select(move => (move.From, move.To)).Single());
    }

    private static AgentHarness StrictMesh()
    {
        var mesh = new AgentHarness(new DeviceOptions().ResyncInterval, slots: 2, [2, 3]).Settled(2);
        mesh.Encryption.CurrentValue.Mode = EncryptionMode.Strict;
        return mesh;
    }

    // Peers of the new device have shaken hands by the time that it is read back.
    private static List<string> Record(AgentHarness mesh)
    {
        var writes = new List<string>();
        mesh.Firewall.OnCall = call => Note(call, "");
        mesh.Links.OnCall = (call, _) =>
        {
            Note(call.Operation, call.Subject is Route route
                ? $" {route.Destination} {(route.IsUnreachable ? "refused" : route.DeviceName)}"
                : $" {call.Subject}");
            return Task.CompletedTask;
        };
        mesh.Devices.OnCall = (call, _) =>
        {
            Note(call.Operation, $" {call.DeviceName}");
            foreach (var peer in mesh.Devices.Peek(NewDevice)?.Peers ?? [])
            {
                mesh.Devices.ChangePeer(NewDevice, peer.PublicKey, old => old with { LastHandshakeTime = mesh.Time.GetUtcNow() });
            }

            return Task.CompletedTask;
        };
        return writes;

        void Note(string operation, string subject)
        {
            if (!operation.StartsWith("Get", StringComparison.Ordinal) && !operation.StartsWith("TryGet", StringComparison.Ordinal)
                && !operation.StartsWith("Find", StringComparison.Ordinal))
            {
                writes.Add(operation + subject);
            }
        }
    }
}
