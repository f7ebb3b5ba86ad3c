using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Grains.Addresses;

/// <content>What it logs.</content>
internal sealed partial class AddressAnnouncer
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Announced addresses {Sequence}: {Prefixes} prefixes, {NodeAddresses} addresses of the node among them, {Encapsulations} encapsulations")]
    private static partial void LogAnnounced(
        ILogger logger, AnnouncementSequence sequence, int prefixes, int nodeAddresses, int encapsulations);

    [LoggerMessage(Level = LogLevel.Error, Message = "This silo itself refuses its announcement of addresses {Sequence}: {Outcome}, {Detail}")]
    private static partial void LogNotTaken(ILogger logger, AnnouncementSequence sequence, AnnouncementOutcome outcome, string detail);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName} has not applied addresses {Sequence}: {Outcome}; it is told again ({Count} times since the last such line)")]
    private static partial void LogNotApplied(
        ILogger logger, AnnouncementSequence sequence, string nodeName, AnnouncementOutcome outcome, long count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName} was not told addresses {Sequence}: {Problem}; it is tried again ({Count} times since the last such line)")]
    private static partial void LogUndelivered(
        ILogger logger, AnnouncementSequence sequence, string nodeName, string problem, long count);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} has applied this node's addresses again, after {Count} attempts in {Duration}")]
    private static partial void LogDeliveredAgain(ILogger logger, string nodeName, long count, TimeSpan duration);
}
