namespace Orleans.WireGuard.Silo.Routing.Firewall;

/// <summary>
/// Drops packets that other nodes' pods sent in clear: a table of our own that holds the pod CIDRs of the other nodes. Touches nothing else.
/// </summary>
/// <remarks>Every failure of the system is a <see cref="Devices.DeviceException"/>.</remarks>
internal interface IFirewall
{
    /// <summary>Reads the table, or <see langword="null"/> if there is none.</summary>
    Task<FirewallState?> TryGet(CancellationToken cancellationToken);

    /// <summary>Makes the table anew, whatever was there under its name; its counter starts at zero.</summary>
    /// <param name="sources">Prefixes of which none holds another.</param>
    /// <param name="cancellationToken">Checked before each transaction.</param>
    Task Create(EquatableArray<IPPrefix> sources, CancellationToken cancellationToken);

    /// <summary>Changes the sources of a table that is there, in one step as long as they are few.</summary>
    /// <param name="remove">Prefixes that are in it.</param>
    /// <param name="add">Prefixes that are not.</param>
    /// <param name="cancellationToken">Checked before each transaction.</param>
    Task Change(EquatableArray<IPPrefix> remove, EquatableArray<IPPrefix> add, CancellationToken cancellationToken);

    /// <summary>Removes the table. One that is not there is fine.</summary>
    Task Delete(CancellationToken cancellationToken);
}

/// <summary>The table as it was read.</summary>
/// <param name="Sources">What is dropped unless it came through a device of ours; sorted.</param>
/// <param name="IsIntact">Whether the rules are ours and the sources are prefixes; if not, somebody else wrote to the table.</param>
/// <param name="DroppedPackets">Packets that were dropped since the table was made.</param>
/// <param name="DroppedBytes">Their bytes.</param>
internal sealed record FirewallState(EquatableArray<IPPrefix> Sources, bool IsIntact, ulong DroppedPackets, ulong DroppedBytes);
