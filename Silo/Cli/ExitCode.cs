namespace Orleans.WireGuard.Silo.Cli;

/// <summary>What the process ends with. Scripts rely on these numbers.</summary>
internal static class ExitCode
{
    /// <summary>Done; for <c>status</c> and <c>peers</c>: and every node is well.</summary>
    public const int Success = 0;

    /// <summary>The silo could not be reached, or refused.</summary>
    public const int Failed = 1;

    /// <summary>The command line or the configuration is wrong, or the machine lacks something.</summary>
    public const int Misconfigured = 2;

    /// <summary>Answered, but a node has a problem or two nodes disagree about a key.</summary>
    public const int Unhealthy = 3;
}
