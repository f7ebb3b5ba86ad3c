using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Grains;

/// <content>Log messages.</content>
internal sealed partial class PeerService
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Accepted announcement {Sequence} of {NodeName}: keys {PublicKeys}")]
    private static partial void LogAccepted(ILogger logger, string nodeName, AnnouncementSequence sequence, string publicKeys);

    [LoggerMessage(
        Level = LogLevel.Warning, Message = "The time is not known: {Problem}. Tunnels go on, but what others announce may be refused")]
    private static partial void LogClock(ILogger logger, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "The time is known again, after {Duration}")]
    private static partial void LogClockKnown(ILogger logger, TimeSpan duration);

    [LoggerMessage(Level = LogLevel.Information, Message = "Could not tell the NodeGrain that {Because}: {Problem}")]
    private static partial void LogNotAnnouncedAgain(ILogger logger, string because, string problem);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Did not take an announcement of {NodeName}: {Detail}")]
    private static partial void LogStale(ILogger logger, string nodeName, string detail);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Refused an announcement of {NodeName}, {Outcome}: {Detail} ({Count} since the last such line)")]
    private static partial void LogRefused(ILogger logger, string nodeName, AnnouncementOutcome outcome, string detail, long count);

    [LoggerMessage(Level = LogLevel.Information, Message = "Synced: {Announcements} announcements held, {Answers} silos asked")]
    private static partial void LogSynced(ILogger logger, int announcements, int answers);

    [LoggerMessage(Level = LogLevel.Information, Message = "Could not compare digests with {NodeName}: {Problem} ({Count} times since the last such line)")]
    private static partial void LogExchangeFailed(ILogger logger, string nodeName, string problem, long count);

    [LoggerMessage(Level = LogLevel.Information, Message = "Compares digests with {NodeName} again, after {Count} failures in {Duration}")]
    private static partial void LogExchangedAgain(ILogger logger, string nodeName, long count, TimeSpan duration);

    [LoggerMessage(Level = LogLevel.Information, Message = "Takes announcements of {NodeName} again, after {Count} refusals in {Duration}")]
    private static partial void LogTakenAgain(ILogger logger, string nodeName, long count, TimeSpan duration);

    [LoggerMessage(
        Level = LogLevel.Information, Message = "The silos of this mesh speak protocol {Effective} with each other now; it was {Former}")]
    private static partial void LogProtocol(ILogger logger, int effective, int former);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Refused addresses of {NodeName}: {Outcome}, {Detail} ({Count} times since the last such line)")]
    private static partial void LogAddressesRefused(
        ILogger logger, string nodeName, AnnouncementOutcome outcome, string detail, long count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} prefixes of {NodeName} do not count here, {Prefix} among them: {Reason}, other node: {OtherNode}. Its keys and other prefixes do ({Times} times since the last such line)")]
    private static partial void LogHeldBack(
        ILogger logger, int count, string nodeName, IPPrefix prefix, HeldBackReason reason, string otherNode, long times);

    [LoggerMessage(Level = LogLevel.Information, Message = "All prefixes of {NodeName} count again, after {Duration}")]
    private static partial void LogCountsAgain(ILogger logger, string nodeName, TimeSpan duration);
}
