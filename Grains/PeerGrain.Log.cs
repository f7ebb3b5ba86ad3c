using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Grains;

/// <content>Log messages.</content>
internal sealed partial class PeerGrain
{
    [LoggerMessage(
        Level = LogLevel.Information, Message = "Announcement {Sequence} is on the devices of all {Others} others after {Milliseconds} ms")]
    private static partial void LogEverywhere(ILogger logger, AnnouncementSequence sequence, int others, double milliseconds);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Delivery of {Sequence} to {NodeName} ended: a newer announcement took over")]
    private static partial void LogSuperseded(ILogger logger, AnnouncementSequence sequence, string nodeName);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not deliver announcement {Sequence} to {NodeName}: {Problem}; trying again ({Count} rounds since the last such line)")]
    private static partial void LogUndelivered(
        ILogger logger, Exception? exception, AnnouncementSequence sequence, string nodeName, string problem, long count);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} applies announcements again, after {Count} rounds in {Duration}")]
    private static partial void LogDeliveredAgain(ILogger logger, string nodeName, long count, TimeSpan duration);

    [LoggerMessage(
        Level = LogLevel.Information, Message = "{NodeName} holds {HeldSequence} of this node, above {Sequence}; announcing above it")]
    private static partial void LogBehind(
        ILogger logger, AnnouncementSequence sequence, string nodeName, AnnouncementSequence heldSequence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName} did not apply announcement {Sequence}: {Outcome}; trying again ({Count} rounds since the last such line)")]
    private static partial void LogNotApplied(
        ILogger logger, AnnouncementSequence sequence, string nodeName, AnnouncementOutcome outcome, long count);
}
