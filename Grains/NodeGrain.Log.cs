using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Grains;

/// <content>Log messages.</content>
internal sealed partial class NodeGrain
{
    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} announced {Sequence}: {Slots}")]
    private static partial void LogAnnounced(ILogger logger, string nodeName, AnnouncementSequence sequence, string slots);

    [LoggerMessage(
        Level = LogLevel.Information, Message = "{NodeName} adopted the key of its device: {PublicKey}, of epoch {Epoch}, in slot {Slot}")]
    private static partial void LogAdopted(ILogger logger, string nodeName, string publicKey, Epoch epoch, Slot slot);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} destroyed key {PublicKey} of slot {Slot}: nobody uses it any more")]
    private static partial void LogRetired(ILogger logger, string nodeName, string publicKey, Slot slot);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} made key {PublicKey} in slot {Slot}: {Peer} has no key in another slot of ours")]
    private static partial void LogShared(ILogger logger, string nodeName, string publicKey, Slot slot, string peer);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName}, slot {Slot}: {Problem}")]
    private static partial void LogDeferred(ILogger logger, string nodeName, Slot slot, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName} keeps its keys until {Until:u}: an operator froze it")]
    private static partial void LogFrozen(ILogger logger, string nodeName, DateTimeOffset until);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} rotates again: an operator ended the freeze")]
    private static partial void LogUnfrozen(ILogger logger, string nodeName);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{NodeName} could not rotate or announce: {Problem} Trying again in {Delay} and from then on ({Count} times since the last such line)")]
    private static partial void LogFailed(
        ILogger logger, Exception? exception, string nodeName, string problem, TimeSpan delay, long count);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} rotates and announces again after {Count} failures in {Duration}")]
    private static partial void LogRecovered(ILogger logger, string nodeName, long count, TimeSpan duration);
}
