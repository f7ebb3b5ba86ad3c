using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing.Firewall;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The devices of all slots in a pass, one after the other, each by its <see cref="DeviceReconciler"/>.</summary>
/// <param name="slots">In order.</param>
/// <param name="routes">Our routes, some of which go away with a device.</param>
internal sealed class SlotReconciler(DeviceReconciler[] slots, RouteReconciler routes)
{
    /// <summary>The devices whose links this pass found down or away: nobody deleted their routes.</summary>
    public IReadOnlySet<string> LostLinks => slots.Where(slot => slot.IsLinkLost).Select(slot => slot.DeviceName).ToHashSet();

    /// <summary>How large the segments of connections through the devices may be, as far as their links are known.</summary>
    public EquatableArray<SegmentLimit> SegmentLimits =>
        slots.Where(slot => slot.Mtu > 0).Select(slot => new SegmentLimit(slot.DeviceName, slot.Mtu)).ToEquatableArray();

    /// <inheritdoc cref="DeviceReconciler.ReadKeyPairAsync"/>
    public async Task<KeyPair?> ReadKeyPairAsync(MeshView view, Slot slot, CancellationToken cancellationToken) =>
        slot.Index < slots.Length ? await slots[slot.Index].ReadKeyPairAsync(view, cancellationToken) : null;

    /// <summary>Whether any link is another one than the last pass left. Only reads.</summary>
    public async Task<bool> HaveLinksChangedAsync(CancellationToken cancellationToken)
    {
        foreach (var slot in slots)
        {
            if (await slot.HasLinkChangedAsync(cancellationToken))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Finds the devices that are there, up to the first that may not be written.</summary>
    /// <returns>Those, by slot, and whether all of them are ours.</returns>
    /// <exception cref="LinuxException">One is somebody else's, or the system refused something.</exception>
    public async Task<(Dictionary<Slot, Device> Found, bool AreOurs)> FindAsync(MeshView view, CancellationToken cancellationToken)
    {
        var found = new Dictionary<Slot, Device>();
        foreach (var slot in slots)
        {
            if (await slot.FindAsync(view, cancellationToken) is { } device)
            {
                found[slot.Slot] = device;
                if (!await slot.IsOursAsync(view, device, cancellationToken))
                {
                    return (found, false);
                }
            }
        }

        return (found, true);
    }

    /// <summary>Makes the devices that are missing, and brings up the links of all.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="found">The devices that are there.</param>
    /// <param name="isResync">Whether to read the links again, instead of trusting what this process wrote last.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    /// <returns>The devices of all slots.</returns>
    public async Task<Dictionary<Slot, Device>> BringUpAsync(
        MeshView view, IReadOnlyDictionary<Slot, Device> found, bool isResync, CancellationToken cancellationToken)
    {
        var devices = new Dictionary<Slot, Device>();
        foreach (var slot in slots)
        {
            if (!found.TryGetValue(slot.Slot, out var device))
            {
                device = await slot.MakeAsync(cancellationToken);
                routes.Forget();
            }

            devices[slot.Slot] = device;
            await slot.BringUpAsync(isResync, view.IsSettled && view.Keys.Any(key => key.Slot == slot.Slot), cancellationToken);
            if (slot.IsRenamedBack || (slot.IsLinkLost && !isResync))
            {
                // A resync has read them already, and counts what others deleted.
                routes.Forget();
            }
        }

        return devices;
    }

    /// <summary>Makes the devices what they should be.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="plan">Through which slots nodes are reached, and where handshakes are to be started.</param>
    /// <param name="devices">The devices as they are.</param>
    /// <param name="isResync">Whether to ask again what the ways to the peers carry.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    /// <returns>What they should be, and what they are now.</returns>
    public async Task<(IReadOnlyList<DesiredDevice> Desired, Dictionary<Slot, Device> Configured)> ConfigureAsync(
        MeshView view, PathPlan plan, IReadOnlyDictionary<Slot, Device> devices, bool isResync, CancellationToken cancellationToken)
    {
        var (desired, configured) = (new List<DesiredDevice>(), new Dictionary<Slot, Device>());
        foreach (var slot in slots)
        {
            var observed = devices[slot.Slot];
            var wanted = await slot.PlanAsync(view, plan, observed, cancellationToken);
            desired.Add(wanted);
            configured[slot.Slot] = await slot.ApplyAsync(view, wanted, observed, isResync, cancellationToken);
        }

        return (desired, configured);
    }

    /// <summary>Turns devices into what people see.</summary>
    public EquatableArray<DeviceStatus> ToStatus(MeshView view, IReadOnlyDictionary<Slot, Device> devices) =>
        slots.Where(slot => devices.ContainsKey(slot.Slot)).Select(slot => slot.ToStatus(view, devices[slot.Slot])).ToEquatableArray();
}
