using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Supervision;

/// <summary>The loops that must go on for as long as the silo does. One that ends all the same ends the silo.</summary>
/// <remarks>
/// A silo that lives on without one of its loops looks well and is not: it keeps what it knew and learns nothing any more, until somebody
/// wonders. A silo that ended is started again, keeps its device, and tells why. Grain timers need none of this: Orleans goes on after a
/// turn that failed.
/// </remarks>
/// <param name="services">
/// Where the <see cref="BackgroundService"/>s are; all of ours are such loops, and are watched without being asked.
/// </param>
/// <param name="host">What is stopped.</param>
/// <param name="timeProvider">Clock of the pauses.</param>
/// <param name="logger">Hears what failed.</param>
internal sealed partial class EndlessLoops(
    IServiceProvider services, IHostApplicationLifetime host, TimeProvider timeProvider, ILogger<EndlessLoops> logger)
        : IHostedLifecycleService
{
    private const string OurNamespace = "Orleans.WireGuard.";

    private readonly StateLog _failing = new(timeProvider);
    private string? _ended;

    /// <summary>The first loop that ended before the silo did, and why, in a sentence; null as long as all go on.</summary>
    public string? Ended => Volatile.Read(ref _ended);

    /// <summary>Runs a loop that deals with its failures itself. Never throws.</summary>
    /// <param name="name">The loop's name, for people.</param>
    /// <param name="loop">The loop; it ends by this cancellation and by nothing else.</param>
    /// <param name="stopping">The silo stops.</param>
    public async Task KeepAsync(string name, Func<CancellationToken, Task> loop, CancellationToken stopping)
    {
        Exception? cause = null;
        try
        {
            await loop(stopping);
        }
        catch (Exception e)
        {
            cause = e;
        }

        if (!stopping.IsCancellationRequested)
        {
            End(name, cause);
        }
    }

    /// <summary>
    /// Does something again and again. Whatever it throws is logged, and the next round comes after a pause as usual. Never throws.
    /// </summary>
    /// <param name="name">The loop's name, for people.</param>
    /// <param name="round">One round.</param>
    /// <param name="pause">The pause after a round, by how many failed in a row; 0 after one that did not.</param>
    /// <param name="stopping">The silo stops.</param>
    public Task RepeatAsync(string name, Func<CancellationToken, Task> round, Func<int, TimeSpan> pause, CancellationToken stopping) =>
        KeepAsync(
            name,
            async token =>
            {
                for (var failures = 0; !token.IsCancellationRequested;)
                {
                    try
                    {
                        await round(token);
                        failures = 0;
                        TellWorks(name);
                    }
                    catch (Exception e) when (!token.IsCancellationRequested)
                    {
                        failures++;
                        TellFailed(name, e);
                    }

                    await Task.Delay(pause(failures), timeProvider, token);
                }
            },
            stopping);

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        // Those of others may end when they are done.
        foreach (var service in services.GetServices<IHostedService>().OfType<BackgroundService>())
        {
            if (service is { ExecuteTask: { } running }
                && service.GetType().Namespace?.StartsWith(OurNamespace, StringComparison.Ordinal) == true)
            {
                Watch(service.GetType().Name, running);
            }
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Watch(string name, Task running)
    {
        _ = KeepAsync(name, _ => running, host.ApplicationStopping);

        // The host stops too when one throws, and before we are told of it. Services are told to stop after this, so one that has ended did
        // so by itself.
        host.ApplicationStopping.Register(() =>
        {
            if (running.IsCompleted)
            {
                End(name, running.Exception?.InnerException ?? (running.IsCanceled ? new TaskCanceledException(running) : null));
            }
        });
    }

    private void End(string name, Exception? cause)
    {
        var reason = cause is null ? $"{name} returned" : $"{name} failed: {cause.Message}";
        if (Interlocked.CompareExchange(ref _ended, reason, null) is null)
        {
            LogEnded(logger, name, cause);
            host.StopApplication();
        }
    }

    private void TellFailed(string name, Exception failure)
    {
        if (_failing.Note(name, failure.GetType().Name) is { } line)
        {
            LogFailed(logger, name, failure.Message, line.Count, line.IsNew ? failure : null);
        }
    }

    private void TellWorks(string name)
    {
        if (_failing.End(name) is { } end)
        {
            LogWorksAgain(logger, name, end.Count, end.Duration);
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Loop} ended, which must go on while the silo does: the silo ends, to be started again")]
    private static partial void LogEnded(ILogger logger, string loop, Exception? cause);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Loop} failed and goes on: {Problem} ({Count} times since the last such line)")]
    private static partial void LogFailed(ILogger logger, string loop, string problem, long count, Exception? failure);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Loop} works again, after {Count} failures in {Duration}")]
    private static partial void LogWorksAgain(ILogger logger, string loop, long count, TimeSpan duration);
}
