namespace Orleans.WireGuard.Supervision;

/// <summary>The silo cannot start here. Ends the process with exit code 2, one line for each fault and nothing left behind.</summary>
internal sealed class StartupException(IReadOnlyList<string> faults) : Exception(string.Join(Environment.NewLine, faults))
{
    /// <summary>What was expected, what came, what to do; one sentence or two each.</summary>
    public IReadOnlyList<string> Faults { get; } = faults;
}
