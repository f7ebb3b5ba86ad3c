namespace Orleans.WireGuard.Silo.Agent;

/// <content>Log messages.</content>
internal sealed partial class FirewallReconciler
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Plaintext between pods of different nodes is dropped: the nftables table {Reason} and now has {Prefixes} prefixes of others")]
    private static partial void LogMade(ILogger logger, string reason, int prefixes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Plaintext between pods of different nodes is let pass from now on: Encryption:Mode or DropPlaintext says so")]
    private static partial void LogRemoved(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "The segments of TCP connections through the tunnels are not limited to what those carry: {Problem} Only where programs send past the kernel's routes (BPF host routing) large packets get lost then")]
    private static partial void LogUnlimited(ILogger logger, string problem);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Whether an nftables table was left from a strict run cannot be read: {Problem}")]
    private static partial void LogUnreadable(ILogger logger, string problem);
}
