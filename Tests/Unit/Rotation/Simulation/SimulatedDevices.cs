using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>The devices of a machine, as its silo sees them: every write has the effect on sessions that it has in the kernel.</summary>
internal sealed class SimulatedDevices(Simulation simulation, SimulatedMachine machine, FakeWireGuardClient kernel) : IWireGuardClient
{
    /// <inheritdoc/>
    public Transport Transport => kernel.Transport;

    /// <inheritdoc/>
    public TransportReason TransportReason => kernel.TransportReason;

    /// <inheritdoc/>
    public async Task<Device?> TryGetDeviceAsync(string name, CancellationToken cancellationToken)
    {
        var device = await kernel.TryGetDeviceAsync(name, cancellationToken);
        return simulation.Broken != SimulationBreak.MoveWithoutHandshake || device is null ? device : device with
        {
            Peers = device.Peers.Select(peer => peer with { LastHandshakeTime = peer.LastHandshakeTime ?? machine.Time })
                .ToEquatableArray(),
        };
    }

    /// <inheritdoc/>
    public Task<string?> FindRenamedAsync(string name, ushort listenPort, CancellationToken cancellationToken) =>
        kernel.FindRenamedAsync(name, listenPort, cancellationToken);

    /// <inheritdoc/>
    public Task<KeyPair?> GetKeyPairAsync(string name, CancellationToken cancellationToken) =>
        kernel.GetKeyPairAsync(name, cancellationToken);

    /// <inheritdoc/>
    public Task CreateDeviceAsync(string name, CancellationToken cancellationToken) => kernel.CreateDeviceAsync(name, cancellationToken);

    /// <inheritdoc/>
    public async Task ConfigureAsync(string name, DevicePatch patch, CancellationToken cancellationToken)
    {
        var slot = SlotOf(name);
        await kernel.ConfigureAsync(name, patch, cancellationToken);
        simulation.Tunnels.Follow(machine, slot, patch);
        simulation.Trace(() => $"{machine.Name} configures slot {slot}: {Describe(patch)}");
        simulation.Check();
    }

    /// <inheritdoc/>
    public Task DeleteDeviceAsync(string name, CancellationToken cancellationToken) => kernel.DeleteDeviceAsync(name, cancellationToken);

    private static Slot SlotOf(string name) => new((byte)(name[^1] - '0'));

    private string Describe(DevicePatch patch) => string.Join(", ", new[]
    {
        patch.KeyPair is { } key ? $"key {key.PublicKey.ToShortString()}" : patch.ClearKey ? "no key" : null,
    }.Concat(patch.Peers.Select(peer => $"{peer.Change} {simulation.Describe(peer.PublicKey)}"
        + (peer.PersistentKeepaliveInterval is { } interval ? $" keepalive {interval.TotalSeconds}" : ""))).OfType<string>());
}
