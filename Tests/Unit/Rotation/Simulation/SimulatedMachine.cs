using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>A machine: its clock, devices and routes, which outlive its silo, and the silo if it runs.</summary>
internal sealed class SimulatedMachine(Simulation simulation, int number, TimeSpan skew) : IDisposable
{
    private static readonly Slot[] Slots = [Slot.Zero, Slot.One];

    private readonly Device?[] _devices = new Device?[Slot.Count];
    private readonly Dictionary<int, DevicePeer>[] _peers = [[], []];
    private Dictionary<int, Slot>? _routes;

    /// <summary>Its number in <see cref="TestMesh"/>.</summary>
    public int Number => number;

    /// <summary>The name of the node.</summary>
    public string Name { get; } = TestMesh.Name(number);

    /// <summary>Its entry in the roster.</summary>
    public RosterNode Node { get; } = TestMesh.RosterNode(number);

    /// <summary>By how much its clock is ahead.</summary>
    /// <remarks>No two nodes share a millisecond: which of two announcements is the older one must not hang on random keys.</remarks>
    public TimeSpan Skew { get; private set; } = skew + TimeSpan.FromMilliseconds(number);

    /// <summary>What its clock says.</summary>
    public DateTimeOffset Time => TestMesh.Start + simulation.Now + Skew;

    /// <summary>Links and routes.</summary>
    public FakeLinkClient Links { get; } = new();

    /// <summary>The devices in the kernel.</summary>
    public FakeWireGuardClient Kernel { get; private set; } = null!;

    /// <summary>The firewall.</summary>
    public FakeFirewall Firewall { get; } = new();

    /// <summary>The silo, if it runs.</summary>
    public SimulatedSilo? Silo { get; set; }

    /// <summary>How many silos it has had.</summary>
    public int Generations { get; set; }

    /// <summary>Whether its silo is of the release before this one.</summary>
    public bool IsFormerRelease { get; set; }

    /// <summary>Until when nothing on the control plane reaches it or comes from it.</summary>
    public TimeSpan IsolatedUntil { get; set; }

    /// <summary>Until when no handshake with it succeeds.</summary>
    public TimeSpan MuteUntil { get; set; }

    /// <summary>Whether it has left for good.</summary>
    public bool IsGone { get; set; }

    /// <summary>Gives the machine a kernel, without any device yet.</summary>
    public SimulatedMachine Begin()
    {
        Kernel = new FakeWireGuardClient(Links);
        return this;
    }

    /// <summary>Sets the clock.</summary>
    public void SetSkew(TimeSpan skew) => Skew = skew + TimeSpan.FromMilliseconds(number);

    /// <summary>The device of a slot, if there is one.</summary>
    public Device? Device(Slot slot) => Kernel.Peek(DeviceNames.Default.Of(slot));

    /// <summary>Through which slot packets for another node's pods go.</summary>
    public Slot? Route(SimulatedMachine to)
    {
        _routes ??= Links.Routes.Where(route => route.DeviceName.Length > 0 && simulation.FindNumber(route.Destination) is not null)
            .ToDictionary(
                route => simulation.FindNumber(route.Destination)!.Value,
                route => Slots.First(slot => DeviceNames.Default.Of(slot) == route.DeviceName));
        return _routes.TryGetValue(to.Number, out var slot) ? slot : null;
    }

    /// <summary>The peer of a slot's device to which packets for another node's pods are encrypted.</summary>
    public DevicePeer? Peer(Slot slot, SimulatedMachine to)
    {
        var device = Device(slot);
        var peers = _peers[slot.Index];
        if (!ReferenceEquals(device, _devices[slot.Index]))
        {
            _devices[slot.Index] = device;
            peers.Clear();
            foreach (var peer in device?.Peers ?? [])
            {
                if (peer.AllowedIPs.Select(simulation.FindNumber).FirstOrDefault(number => number is not null) is { } other)
                {
                    peers[other] = peer;
                }
            }
        }

        return peers.GetValueOrDefault(to.Number);
    }

    /// <summary>Notes that routes may have changed.</summary>
    public void ForgetRoutes() => _routes = null;

    /// <inheritdoc/>
    public void Dispose()
    {
        Silo?.Dispose();
        Kernel.Dispose();
    }
}
