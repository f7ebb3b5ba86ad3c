using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing.Firewall;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Keeps the table that drops plaintext between pods of different nodes, and limits the segments of their connections, what it should be.
/// </summary>
/// <remarks>
/// Two steps of a pass: what is dropped comes before the devices, how large segments may be when their MTU is known. A node that drops
/// nothing may have no nf_tables at all, and goes on without the limits. Not thread-safe: the agent runs one pass at a time.
/// </remarks>
internal sealed partial class FirewallReconciler(IFirewall firewall, ILogger<FirewallReconciler> logger)
{
    private Observation? _observed;
    private bool _isWanted;
    private bool _isLimiting = true;

    /// <summary>
    /// Packets that came in clear, dropped since the table was made, as of the last time that it was read; 0 if there is none.
    /// </summary>
    public long DroppedPackets { get; private set; }

    /// <summary>The same of packets that would have left in clear.</summary>
    public long DroppedOutgoingPackets { get; private set; }

    /// <summary>Whether the table is another one than the last pass left. Only reads.</summary>
    public async Task<bool> HasChangedAsync(CancellationToken cancellationToken)
    {
        if (_observed is not { State: var expected })
        {
            return true;
        }

        var state = (await ReadAsync(_isWanted, cancellationToken)).State;
        return state is null || expected is null
            ? state != expected
            : (state.IsIntact, state.Prefixes, state.Limits, state.Packets, state.Unpacking)
                != (expected.IsIntact, expected.Prefixes, expected.Limits, expected.Packets, expected.Unpacking);
    }

    /// <summary>Compares what is dropped, and writes what differs.</summary>
    /// <param name="plan">What it should be.</param>
    /// <param name="isResync">Whether to read the table again, instead of trusting what this process wrote last.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task ReconcileAsync(FirewallPlan plan, bool isResync, CancellationToken cancellationToken)
    {
        _isWanted = plan.IsWanted;
        if (isResync || _observed is null)
        {
            _observed = await ReadAsync(_isWanted, cancellationToken);
        }

        if (plan is { IsWanted: true, Prefixes: null })
        {
            // Until the roster is known, what an earlier process left stays in force.
            return;
        }

        var observed = _observed.State;

        // Until these writes have succeeded we do not know what is there; the next pass reads it.
        _observed = null;

        // Until somebody has looked what is packed, what an earlier process left stays in force.
        var prefixes = plan is { IsWanted: true, Packets: null, Prefixes: not null } && observed is not null
            ? plan.Prefixes with { Encapsulating = observed.Prefixes.Encapsulating }
            : plan.Prefixes;
        var state = await WriteAsync(prefixes, observed, cancellationToken);
        if (state is not null && (plan.IsWanted ? plan.Packets : []) is { } packets
            && (state.Packets, state.Unpacking) != (packets, plan.Unpacking))
        {
            await firewall.DropPacketsAsync(packets, plan.Unpacking, cancellationToken);
            state = state with { Packets = packets, Unpacking = plan.Unpacking };
        }

        _observed = new Observation(state);
    }

    /// <summary>Compares how large segments may be, and writes what differs. Comes after <see cref="ReconcileAsync"/>.</summary>
    /// <param name="limits">For each device what it carries.</param>
    /// <param name="isResync">Whether to try again what the system refused.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task LimitSegmentsAsync(EquatableArray<SegmentLimit> limits, bool isResync, CancellationToken cancellationToken)
    {
        // A table that is not as it should be is left to the other step: while the roster is unknown it stays as it is.
        if (_observed is not { State: var state } || (!_isLimiting && !isResync)
            || (state is null ? _isWanted || limits.Count == 0 : !state.IsIntact || state.Limits == limits))
        {
            return;
        }

        _observed = null;
        try
        {
            if (state is null)
            {
                await firewall.CreateAsync(FirewallPrefixes.None, cancellationToken);
                state = new FirewallState(FirewallPrefixes.None, IsIntact: true);
            }

            await firewall.LimitSegmentsAsync(limits, cancellationToken);
            _observed = new Observation(state with { Limits = limits });
            _isLimiting = true;
        }

        // Whoever has no programs that send past the kernel's routes is told the size of a packet that is too large anyway.
        catch (LinuxException e)
        {
            if (_isLimiting)
            {
                LogUnlimited(logger, e.Message);
            }

            _isLimiting = false;
        }
    }

    // A node that never was strict may have no nf_tables at all, and needs none.
    private async Task<Observation> ReadAsync(bool isWanted, CancellationToken cancellationToken)
    {
        try
        {
            var state = await firewall.TryGetAsync(cancellationToken);
            (DroppedPackets, DroppedOutgoingPackets) = ((long)(state?.DroppedPackets ?? 0), (long)(state?.DroppedOutgoingPackets ?? 0));
            return new Observation(state);
        }
        catch (LinuxException e) when (!isWanted)
        {
            LogUnreadable(logger, e.Message);
            return new Observation(null);
        }
    }

    private async Task<FirewallState?> WriteAsync(FirewallPrefixes? wanted, FirewallState? observed, CancellationToken cancellationToken)
    {
        switch (wanted, observed)
        {
            case (null, null):
                return null;
            case (null, { IsIntact: true, Prefixes: var prefixes } state):
                // The limits stay.
                if (!prefixes.IsEmpty)
                {
                    LogRemoved(logger);
                    await firewall.ChangeAsync(prefixes, FirewallPrefixes.None, cancellationToken);
                }

                return state with { Prefixes = FirewallPrefixes.None };
            case (null, _):
                LogRemoved(logger);
                await firewall.DeleteAsync(cancellationToken);
                return null;
            case ({ } prefixes, null or { IsIntact: false }):
                LogMade(logger, observed is null
                    ? "was not there"
                    : "was changed by somebody else, or is of a former version", prefixes.Remote.Count);
                await firewall.CreateAsync(prefixes, cancellationToken);
                (DroppedPackets, DroppedOutgoingPackets) = (0, 0);
                return new FirewallState(prefixes, IsIntact: true);
            case ({ } prefixes, { } state):
                var (remove, add) = (state.Prefixes.Except(prefixes), prefixes.Except(state.Prefixes));
                if (!remove.IsEmpty || !add.IsEmpty)
                {
                    await firewall.ChangeAsync(remove, add, cancellationToken);
                }

                return state with { Prefixes = prefixes };
        }
    }

    /// <summary>What is known of the table; its absence is knowledge too.</summary>
    private sealed record Observation(FirewallState? State);
}
