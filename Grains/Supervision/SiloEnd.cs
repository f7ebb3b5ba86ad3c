using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Supervision;

/// <summary>
/// Ends this silo when it cannot go on as it is. Its supervisor starts it again, and the next one adopts the devices as they are.
/// </summary>
internal sealed partial class SiloEnd(IHostApplicationLifetime lifetime, ILogger<SiloEnd> logger)
{
    private string? _reason;

    /// <summary>Why it ends; <see langword="null"/> while nobody has ended it.</summary>
    public string? Reason => Volatile.Read(ref _reason);

    /// <summary>Whether it would end again: whoever starts it has to change something first.</summary>
    public bool IsMisfit { get; private set; }

    /// <summary>Is cancelled when the silo ends, for whatever reason.</summary>
    public CancellationToken Stopping => lifetime.ApplicationStopping;

    /// <summary>Ends the silo, and says why. Whoever comes later, with another reason, ends nothing.</summary>
    /// <param name="reason">A sentence.</param>
    /// <param name="isMisfit">Whether it would end again, so that the process ends with exit code 2.</param>
    public void Because(string reason, bool isMisfit = false)
    {
        if (Interlocked.CompareExchange(ref _reason, reason, null) is null)
        {
            IsMisfit = isMisfit;
            if (isMisfit)
            {
                LogIsMisfit(logger, reason);
            }
            else
            {
                LogEnds(logger, reason);
            }

            lifetime.StopApplication();
        }
    }

    [LoggerMessage(
        Level = LogLevel.Critical, Message = "This silo ends, to be started again by its supervisor; the tunnels stay: {Reason}")]
    private static partial void LogEnds(ILogger logger, string reason);

    [LoggerMessage(
        Level = LogLevel.Critical, Message = "This silo ends, and would again until something else is rolled out; the tunnels stay: {Reason}")]
    private static partial void LogIsMisfit(ILogger logger, string reason);
}
