using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;

namespace Orleans.WireGuard.Api;

/// <summary>How requests are repeated, and when we stop asking a server that does not answer.</summary>
internal static class ApiResilience
{
    /// <summary>Failures in a row of <see cref="SamplingDuration"/> that open the circuit: two requests with all their retries.</summary>
    private const int BreakAfter = 10;

    private static readonly TimeSpan SamplingDuration = TimeSpan.FromSeconds(30);

    /// <summary>Retry outside, circuit breaker inside, so that every attempt counts for the circuit.</summary>
    /// <param name="options">Limits.</param>
    /// <param name="timeProvider">Clock of the pauses.</param>
    /// <param name="random">0 to 1, for jitter.</param>
    /// <param name="onRetry">Told before each pause: the failure, how many retries there were, the pause.</param>
    public static ResiliencePipeline Create(
        KubernetesApiOptions options, TimeProvider timeProvider, Func<double> random, Action<Exception, int, TimeSpan> onRetry)
    {
        var builder = new ResiliencePipelineBuilder { TimeProvider = timeProvider };
        if (options.MaxRetries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = new PredicateBuilder().Handle<KubernetesApiException>(
                    failure => failure.IsTransient && !(failure.RetryAfter > options.MaxRetryDelay)),
                MaxRetryAttempts = options.MaxRetries,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = options.RetryDelay,
                MaxDelay = options.MaxRetryDelay,
                Randomizer = random,
                DelayGenerator = arguments => ValueTask.FromResult(AskedFor(arguments.Outcome.Exception, random)),
                OnRetry = arguments =>
                {
                    onRetry(arguments.Outcome.Exception!, arguments.AttemptNumber + 1, arguments.RetryDelay);
                    return ValueTask.CompletedTask;
                },
            });
        }

        // 429 does not open the circuit: the server answers, and says itself how long to wait.
        return builder.AddCircuitBreaker(new CircuitBreakerStrategyOptions
        {
            ShouldHandle = new PredicateBuilder().Handle<KubernetesApiException>(failure => failure.Failure == ApiFailure.Unavailable),
            FailureRatio = 0.7,
            MinimumThroughput = BreakAfter,
            SamplingDuration = SamplingDuration,
            BreakDuration = options.BreakDuration,
        }).Build();
    }

    // Up to a tenth more than asked for: clients that were sent away together must not come back together.
    private static TimeSpan? AskedFor(Exception? failure, Func<double> random) =>
        failure is KubernetesApiException { RetryAfter: { } asked } ? asked * (1 + (0.1 * random())) : null;
}
