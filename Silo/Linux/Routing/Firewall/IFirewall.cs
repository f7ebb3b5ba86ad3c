namespace Orleans.WireGuard.Linux.Routing.Firewall;

/// <summary>
/// Drops packets between pods of different nodes that go in clear, and keeps TCP from sending more at once than a tunnel carries: a table
/// of our own that knows both sides' pod CIDRs. Touches nothing else.
/// </summary>
/// <remarks>Every failure of the system is a <see cref="LinuxException"/>.</remarks>
public interface IFirewall
{
    /// <summary>Reads the table, or <see langword="null"/> if there is none.</summary>
    Task<FirewallState?> TryGetAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Makes the table anew, whatever was there under its name; its counters start at zero, without limits of segments and packets of
    /// other data planes.
    /// </summary>
    /// <param name="prefixes">What is in its sets.</param>
    /// <param name="cancellationToken">Checked before each transaction.</param>
    Task CreateAsync(FirewallPrefixes prefixes, CancellationToken cancellationToken);

    /// <summary>Changes the sets of a table that is there, in one step as long as they are few.</summary>
    /// <param name="remove">Prefixes that are in them.</param>
    /// <param name="add">Prefixes that are not.</param>
    /// <param name="cancellationToken">Checked before each transaction.</param>
    Task ChangeAsync(FirewallPrefixes remove, FirewallPrefixes add, CancellationToken cancellationToken);

    /// <summary>Limits the segments of TCP connections whose packets come in by these devices, and no others.</summary>
    Task LimitSegmentsAsync(EquatableArray<SegmentLimit> limits, CancellationToken cancellationToken);

    /// <summary>
    /// Drops these packets, and no others, if they come from or go to <see cref="FirewallPrefixes.Encapsulating"/> by another link than
    /// our devices.
    /// </summary>
    /// <param name="packets">Which packets.</param>
    /// <param name="unpacking">Names of the links that unpack them; what comes out of those has come through our devices.</param>
    /// <param name="cancellationToken">Checked before the transaction.</param>
    Task DropPacketsAsync(
        EquatableArray<OuterPacket> packets, EquatableArray<string> unpacking, CancellationToken cancellationToken);

    /// <summary>Removes the table. One that is not there is fine.</summary>
    Task DeleteAsync(CancellationToken cancellationToken);
}

/// <summary>Whose packets are meant, by both families' prefixes. In each set none holds another, and they are sorted.</summary>
/// <param name="Remote">What holds pods of other nodes: what comes from them, and what goes to them.</param>
/// <param name="Local">Pods of this node: what comes from them.</param>
public sealed record FirewallPrefixes(EquatableArray<IPPrefix> Remote, EquatableArray<IPPrefix> Local)
{
    /// <summary>Nobody's.</summary>
    public static FirewallPrefixes None { get; } = new([], []);

    /// <summary>Whether there are none.</summary>
    public bool IsEmpty => Remote.Count + Local.Count + Spared.Count + Encapsulating.Count == 0;

    /// <summary>
    /// What is not meant although it lies in <see cref="Remote"/>: this node's pods, nodes, and pods that cannot be encrypted.
    /// </summary>
    public EquatableArray<IPPrefix> Spared { get; init; } = [];

    /// <summary>Nodes, as host prefixes, between which and this one packed packets have to take the tunnels.</summary>
    public EquatableArray<IPPrefix> Encapsulating { get; init; } = [];

    /// <summary>What is here and not there.</summary>
    public FirewallPrefixes Except(FirewallPrefixes other) =>
        new(Sorted.Except(Remote, other.Remote), Sorted.Except(Local, other.Local))
        {
            Spared = Sorted.Except(Spared, other.Spared),
            Encapsulating = Sorted.Except(Encapsulating, other.Encapsulating),
        };
}

/// <summary>The table as it was read.</summary>
/// <param name="Prefixes">What is in its sets.</param>
/// <param name="IsIntact">
/// Whether the rules are ours and the sets hold prefixes; if not, somebody else wrote to the table, or a former version made it.
/// </param>
public sealed record FirewallState(FirewallPrefixes Prefixes, bool IsIntact)
{
    /// <summary>How large segments may be, by the device that they come in by.</summary>
    public EquatableArray<SegmentLimit> Limits { get; init; } = [];

    /// <summary>The packed packets that are dropped unless they come through our devices, sorted.</summary>
    public EquatableArray<OuterPacket> Packets { get; init; } = [];

    /// <summary>Names of the links that unpack them.</summary>
    public EquatableArray<string> Unpacking { get; init; } = [];

    /// <summary>Packets that came in clear and were dropped since the table was made.</summary>
    public ulong DroppedPackets { get; init; }

    /// <summary>Packets that would have left in clear and were dropped since the table was made.</summary>
    public ulong DroppedOutgoingPackets { get; init; }
}
