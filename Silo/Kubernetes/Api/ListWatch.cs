using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Api;

/// <summary>Follows objects of the API server for ever: a list, a watch from there, and again, whatever comes in between.</summary>
/// <remarks>
/// There is no list of what may go wrong. Whatever is not our own cancellation is told, shown and tried again after a pause: from where it
/// was if only the connection was lost, and from a new list if in doubt what was missed.
/// </remarks>
/// <param name="api">The API server.</param>
/// <param name="timeProvider">Clock of the pauses.</param>
/// <param name="logger">Hears when it begins to fail, once a minute meanwhile, and when it works again.</param>
/// <param name="what">What is followed, for people: <c>nodes</c>.</param>
internal sealed partial class ListWatch<T>(KubernetesApi api, TimeProvider timeProvider, ILogger logger, string what)
    where T : class, IApiObject
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(20);

    /// <summary>
    /// A watch that was open for so long worked; one that ends sooner counts as a failure, or the server would be asked in a tight loop.
    /// </summary>
    private static readonly TimeSpan ShortestWatch = TimeSpan.FromSeconds(5);

    /// <summary>New lists in a row that may be too old at once, as while a server starts; more are a problem.</summary>
    private const int MostGone = 2;

    private readonly StateLog _failing = new(timeProvider);
    private string? _from;
    private long _relistAt;
    private long? _openedAt;
    private int _failures;
    private int _gone;
    private bool _isSilent;
    private volatile string? _problem;

    /// <summary>Decides before each attempt what is followed; true if it is something else than before, which is read anew.</summary>
    public Func<CancellationToken, Task<bool>>? BeginsAnew { get; init; }

    /// <summary>How long a watch may go on until that is to be decided again.</summary>
    public Func<TimeSpan>? Rest { get; init; }

    /// <summary>
    /// Reads everything, and says from which resource version a watch goes on. Null where a watch is begun without a version: then the
    /// server tells first what is there, so that there is nothing to list.
    /// </summary>
    public Func<CancellationToken, Task<string>>? List { get; init; }

    /// <summary>How long a list counts although the watch says that it missed nothing; up to a tenth longer.</summary>
    public TimeSpan RelistPeriod { get; init; } = TimeSpan.MaxValue;

    /// <summary>The watch; its query gets what is said here.</summary>
    public required Func<string, ApiCall> Watch { get; init; }

    /// <summary>How an event is read.</summary>
    public required JsonTypeInfo<WatchEvent<T>> Type { get; init; }

    /// <summary>Takes an event, bookmarks excepted. If it throws, everything is read again.</summary>
    public required Action<WatchEvent<T>> Apply { get; init; }

    /// <summary>Told of every failure, before the next attempt.</summary>
    public Action<Exception>? OnFailure { get; init; }

    /// <summary>Told whenever <see cref="Problem"/> changes.</summary>
    public Action<string?>? OnProblem { get; init; }

    /// <summary>Why what is known may be outdated; null while the watch runs.</summary>
    public string? Problem => _problem;

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            _openedAt = null;
            try
            {
                await FollowAsync(cancellationToken);
                Count(failed: false);
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (KubernetesApiException gone) when (gone.Failure == ApiFailure.Gone)
            {
                // No failure of the server, so that the new list comes at once; unless that does not help either.
                LogGone(logger, what);
                _from = null;
                _failures = _gone++;
                if (_gone > MostGone)
                {
                    Tell(gone);
                }
            }
            catch (Exception failure)
            {
                // A resource version survives a broken connection. An event that made no sense, or that we could not take, may be one that
                // we miss now.
                _from = failure is KubernetesApiException { IsTransient: true } ? _from : null;
                _isSilent |= _openedAt is not null && failure.InnerException is TimeoutException;
                Count(failed: true);
                Tell(failure);
            }

            // Full jitter, also after a proper end: all nodes of a cluster run this loop.
            var longest = Math.Min(FirstPause.Ticks << Math.Min(_failures, 10), LongestPause.Ticks);
            await Task.Delay(TimeSpan.FromTicks((long)(longest * api.NextDouble())), timeProvider, cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        if (BeginsAnew is not null && await BeginsAnew(cancellationToken))
        {
            _from = null;
        }

        if (List is not null && (_from is null || timeProvider.GetTimestamp() >= _relistAt))
        {
            _from = await List(cancellationToken);
            var period = RelistPeriod.TotalSeconds * (1 + (0.1 * api.NextDouble()));
            _relistAt = timeProvider.GetTimestamp() + (long)(period * timeProvider.TimestampFrequency);
            _isSilent = false;
        }

        await foreach (var change in api.WatchAsync(Call(), Type, cancellationToken, OnOpen))
        {
            _isSilent = false;
            Work();
            if (change.Type != WatchEventType.Bookmark)
            {
                Apply(change);
            }

            // After it was taken. Without a list every watch begins without a version: an object's own may be older than what a server
            // remembers.
            _from = List is null ? null : change.Object!.Metadata.ResourceVersion;
            if (Rest?.Invoke() <= TimeSpan.Zero)
            {
                break;
            }
        }
    }

    private ApiCall Call()
    {
        // The watch ends when the next list or decision is due, or after 4 to 5 minutes, at another moment on every node.
        var longest = 240 + (60 * api.NextDouble());
        var untilList = List is null ? longest : (_relistAt - timeProvider.GetTimestamp()) / (double)timeProvider.TimestampFrequency;
        var seconds = (int)Math.Clamp(Math.Min(untilList, Rest?.Invoke().TotalSeconds ?? longest), 1, longest);

        var from = _from is null ? "" : $"&resourceVersion={Uri.EscapeDataString(_from)}";
        return Watch($"watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}{from}");
    }

    private void OnOpen()
    {
        _openedAt = timeProvider.GetTimestamp();

        // One that was accepted and then said nothing is not well because it is accepted again.
        if (!_isSilent)
        {
            Work();
        }
    }

    private void Work()
    {
        Show(null);
        if (_failing.End(what) is { } end)
        {
            LogWorksAgain(logger, what, end.Count, end.Duration);
        }
    }

    private void Count(bool failed)
    {
        if (_openedAt is { } opened && timeProvider.GetElapsedTime(opened) >= ShortestWatch)
        {
            (_failures, _gone) = (failed ? 1 : 0, 0);
        }
        else
        {
            _failures++;
        }
    }

    private void Show(string? problem)
    {
        if (_problem != problem)
        {
            _problem = problem;
            OnProblem?.Invoke(problem);
        }
    }

    private void Tell(Exception failure)
    {
        Show(failure.Message);
        OnFailure?.Invoke(failure);

        // Not by the message, in which there are times and ports.
        var kind = failure is KubernetesApiException known ? known.Failure.ToString() : failure.GetType().Name;
        if (_failing.Note(what, kind) is { } line)
        {
            LogFailed(logger, what, failure.Message, line.Count, line.IsNew ? failure : null);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The watch of {What} failed: {Problem} What is known is kept, and it is tried again ({Count} times since the last such line)")]
    private static partial void LogFailed(ILogger logger, string what, string problem, long count, Exception? failure);

    [LoggerMessage(Level = LogLevel.Information, Message = "The watch of {What} was away too long to go on; reading anew")]
    private static partial void LogGone(ILogger logger, string what);

    [LoggerMessage(Level = LogLevel.Information, Message = "The watch of {What} works again, after {Count} failures in {Duration}")]
    private static partial void LogWorksAgain(ILogger logger, string what, long count, TimeSpan duration);
}
