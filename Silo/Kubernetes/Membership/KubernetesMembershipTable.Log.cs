using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Membership;

/// <content>Log messages.</content>
internal sealed partial class KubernetesMembershipTable
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "Membership of Orleans cluster {ClusterId} is not available yet: {Problem} Trying on ({Count} tries since the last such line)")]
    private static partial void LogWaiting(ILogger logger, string clusterId, string problem, long count, Exception? failure);

    [LoggerMessage(
        Level = LogLevel.Information, Message = "Membership of Orleans cluster {ClusterId} is available after {Count} tries in {Duration}")]
    private static partial void LogAvailable(ILogger logger, string clusterId, long count, TimeSpan duration);

    [LoggerMessage(Level = LogLevel.Information, Message = "Created the membership table of Orleans cluster {ClusterId}: OrleansCluster {Name} in namespace {Namespace}")]
    private static partial void LogCreated(ILogger logger, string clusterId, string name, string @namespace);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Another silo changed the membership of Orleans cluster {ClusterId} before our version {Version}")]
    private static partial void LogConflict(ILogger logger, string clusterId, int version);

    [LoggerMessage(
        Level = LogLevel.Information, Message = "Removed {Count} dead silos of Orleans cluster {ClusterId}, last seen before {BeforeDate}")]
    private static partial void LogCleaned(ILogger logger, int count, string clusterId, DateTimeOffset beforeDate);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Dead silos of Orleans cluster {ClusterId} stay for now: other writers were faster {Tries} times")]
    private static partial void LogCleanupGaveUp(ILogger logger, string clusterId, int tries);
}
