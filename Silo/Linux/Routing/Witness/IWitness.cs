namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>Counts, at the links by which other nodes are reached, what leaves in clear and what leaves through our tunnels.</summary>
/// <remarks>Every failure of the system is a <see cref="LinuxException"/>.</remarks>
public interface IWitness
{
    /// <summary>Reads the table, or <see langword="null"/> if there is none.</summary>
    Task<WitnessState?> TryGetAsync(CancellationToken cancellationToken);

    /// <summary>Makes the table, or its chains and rules anew: then its counters go on, and no packet is missing in them.</summary>
    /// <param name="spec">What it is to be.</param>
    /// <param name="former">What is there, as it was read; <see langword="null"/> if there is nothing.</param>
    /// <param name="cancellationToken">Checked before each transaction.</param>
    /// <returns>Whether the kernel has only hooks that miss some packets.</returns>
    Task<bool> CreateAsync(WitnessSpec spec, WitnessState? former, CancellationToken cancellationToken);

    /// <summary>Changes the prefixes of a table that is there.</summary>
    Task ChangeAsync(WitnessState from, WitnessSpec to, CancellationToken cancellationToken);

    /// <summary>Removes the table. One that is not there is fine.</summary>
    Task DeleteAsync(CancellationToken cancellationToken);
}
