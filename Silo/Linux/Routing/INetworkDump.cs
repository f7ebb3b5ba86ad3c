namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Reads a whole network namespace.</summary>
public interface INetworkDump
{
    /// <summary>Reads everything once. Needs no capability.</summary>
    /// <exception cref="LinuxException">The system refused.</exception>
    Task<NetworkDump> ReadAsync(CancellationToken cancellationToken);
}
