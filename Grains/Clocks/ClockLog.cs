using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Grains.Clocks;

/// <summary>Tells people once when this node begins or ends to correct its clock, and of each clock that is far from its own.</summary>
/// <param name="nodeName">This node.</param>
/// <param name="clock">By which it rotates.</param>
/// <param name="period">Length of an epoch, by which it is told what people should know.</param>
/// <param name="logger">Where it is told.</param>
internal sealed partial class ClockLog(string nodeName, MeshClock clock, TimeSpan period, ILogger logger)
{
    private bool _isCorrected;
    private HashSet<string> _skewed = [];

    /// <summary>Tells what is new since the last call.</summary>
    public void Follow()
    {
        var correction = clock.Correction;
        if (correction == TimeSpan.Zero == _isCorrected)
        {
            _isCorrected = !_isCorrected;
            LogClock(logger, nodeName, correction);
        }

        var skewed = clock.Skews.Where(skew => MeshClock.IsWorthAWarning(skew.Ahead, period)).ToList();
        foreach (var skew in skewed.Where(skew => !_skewed.Contains(skew.NodeName)))
        {
            LogSkew(logger, skew.NodeName, skew.Ahead, nodeName, period);
        }

        _skewed = [.. skewed.Select(skew => skew.NodeName)];
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName} rotates by its own clock corrected by {Correction}: it is that far from the mesh's time, or was until now")]
    private static partial void LogClock(ILogger logger, string nodeName, TimeSpan correction);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The clock of {Other} is {Ahead} ahead of that of {NodeName}, more than an eighth of the period of {Period}; check time synchronisation on both")]
    private static partial void LogSkew(ILogger logger, string other, TimeSpan ahead, string nodeName, TimeSpan period);
}
