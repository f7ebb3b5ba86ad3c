using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Witness;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>A witness in memory that behaves as the kernel's: a table is what was written, and its counters go on.</summary>
internal sealed class FakeWitness : IWitness
{
    /// <summary>The table as it is; settable as somebody else would change it.</summary>
    public WitnessState? State { get; set; }

    /// <summary>What the next call fails with; <see langword="null"/> for none.</summary>
    public Exception? Failure { get; set; }

    /// <summary>What netfilter is said to have seen leave by each link.</summary>
    public EquatableArray<LinkCount> Seen { get; set; } = [];

    /// <summary>How often it was written.</summary>
    public int Writes { get; private set; }

    /// <inheritdoc/>
    public Task<WitnessState?> TryGetAsync(CancellationToken cancellationToken) =>
        Failure is null ? Task.FromResult(State is null ? null : State with { Seen = Seen }) : Task.FromException<WitnessState?>(Failure);

    /// <inheritdoc/>
    public Task<bool> CreateAsync(WitnessSpec spec, WitnessState? former, CancellationToken cancellationToken)
    {
        Writes++;
        State = new WitnessState(
            WitnessRules.BuildChains(spec, isPartial: false).Select(chain => chain.Key).Order().ToEquatableArray(),
            WitnessRules.Build(spec, isPartial: false).Select(rule => rule.Comment).Order(StringComparer.Ordinal).ToEquatableArray(),
            spec.Own,
            spec.Remote,
            former?.Counts ?? new WitnessCounts(),
            IsPartial: false);
        return Task.FromResult(false);
    }

    /// <inheritdoc/>
    public Task ChangeAsync(WitnessState from, WitnessSpec to, CancellationToken cancellationToken)
    {
        Writes++;
        State = State! with { Own = to.Own, Remote = to.Remote };
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task DeleteAsync(CancellationToken cancellationToken)
    {
        Writes++;
        State = null;
        return Task.CompletedTask;
    }
}

/// <summary>A network namespace in memory that a test sets.</summary>
internal sealed class FakeNetworkDump : INetworkDump
{
    /// <summary>A node with its underlay link and nothing else.</summary>
    public static NetworkDump Bare { get; } = new(
        [new LinkEntry("eth0", 2, "", 1500, IsUp: true)], [], [], [], new ForwardingEntry(IsIPv6: true, SourceCheck: 0));

    /// <summary>What is read.</summary>
    public NetworkDump Current { get; set; } = Bare;

    /// <summary>What happens while it is read.</summary>
    public Action? Reading { get; set; }

    /// <summary>How often it was read.</summary>
    public int Reads { get; private set; }

    /// <inheritdoc/>
    public Task<NetworkDump> ReadAsync(CancellationToken cancellationToken)
    {
        Reads++;
        Reading?.Invoke();
        return Task.FromResult(Current);
    }
}
