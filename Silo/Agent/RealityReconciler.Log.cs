namespace Orleans.WireGuard.Silo.Agent;

/// <content>Log messages.</content>
internal sealed partial class RealityReconciler
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "{Code} {Sentence} Seen: {Evidence}")]
    private static partial void LogFound(ILogger logger, string code, string sentence, string evidence);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Code} of {Subject} is gone")]
    private static partial void LogGone(ILogger logger, string code, string subject);

    [LoggerMessage(Level = LogLevel.Error, Message = "Strict mode is withheld, because it would cut healthy pods: {Sentence}")]
    private static partial void LogWithheld(ILogger logger, string sentence);

    [LoggerMessage(Level = LogLevel.Information, Message = "Strict mode is no longer withheld")]
    private static partial void LogInForce(ILogger logger);

    [LoggerMessage(
        Level = LogLevel.Information, Message = "What leaves and arrives in clear is counted at {Links}; the witness is {Extent}")]
    private static partial void LogMade(ILogger logger, string links, string extent);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What leaves in clear cannot be counted: {Problem}")]
    private static partial void LogBlind(ILogger logger, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Links, routes and rules could not be read, so nobody knows whether pods are where the mesh believes them: {Problem}")]
    private static partial void LogUnreadable(ILogger logger, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What another data plane of this node packs is not led through the tunnels: {Fault}")]
    private static partial void LogNotLed(ILogger logger, string fault);
}
