using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace Orleans.WireGuard.Grains.Hosting;

/// <summary>
/// Wakes this node's NodeGrain, which has to live without anybody asking for it. By this stage the silo is an active member, so it lands
/// here.
/// </summary>
/// <remarks>
/// Until the others have taken in that the former silo of this node is dead, the grain directory may lead to that one and the call is
/// refused. What a startup task throws ends the silo, so it is tried again meanwhile.
/// </remarks>
internal sealed partial class NodeKeeperStarter(
    IGrainFactory grains, ILocalSiloDetails silo, TimeProvider timeProvider, ILogger<NodeKeeperStarter> logger) : IStartupTask
{
    /// <summary>How often it is tried again, each time after <see cref="Pause"/>: longer than it takes to declare a silo dead.</summary>
    public const int MaxRetries = 30;

    /// <summary>The time between two attempts.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public Task Execute(CancellationToken cancellationToken) =>
        BeginAsync(grains.GetGrain<INodeKeeper>(silo.Name).Begin, cancellationToken);

    /// <summary>Calls until the call is not refused.</summary>
    /// <exception cref="OrleansMessageRejectionException">It was refused to the last.</exception>
    internal async Task BeginAsync(Func<Task> begin, CancellationToken cancellationToken)
    {
        var retry = new ResiliencePipelineBuilder { TimeProvider = timeProvider }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = new PredicateBuilder().Handle<OrleansMessageRejectionException>(),
                MaxRetryAttempts = MaxRetries,
                Delay = Pause,
                OnRetry = arguments =>
                {
                    LogRefused(logger, silo.Name, arguments.AttemptNumber + 1, MaxRetries, arguments.Outcome.Exception!.Message);
                    return default;
                },
            })
            .Build();
        await retry.ExecuteAsync(async _ => await begin(), cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The grain of {NodeName} is still looked for at its former silo; trying again ({Attempt} of {MaxAttempts}): {Problem}")]
    private static partial void LogRefused(ILogger logger, string nodeName, int attempt, int maxAttempts, string problem);
}
