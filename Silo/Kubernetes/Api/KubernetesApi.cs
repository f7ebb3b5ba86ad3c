using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Supervision;
using Polly;
using Polly.CircuitBreaker;

namespace Orleans.WireGuard.Api;

/// <summary>Sends requests to the Kubernetes API, again if that may help, and explains why one failed.</summary>
/// <remarks>Thread-safe. Only <see cref="KubernetesApiException"/> and cancellation leave its methods, until it is disposed of.</remarks>
internal sealed partial class KubernetesApi : IDisposable
{
    /// <summary>Longest line of a watch, in bytes: an object of etcd's limit, escaped, with room to spare.</summary>
    private const int MaxEventBytes = 8 * 1024 * 1024;

    /// <summary>Objects per page of a list: some hundred KB each.</summary>
    private const int PageSize = 500;

    /// <summary>
    /// Pages of one list, those of lists that had to begin anew included: a server that always says there is more gets no further answer.
    /// </summary>
    private const int MaxPages = 200;

    /// <summary>
    /// How far our clock may be from the server's: more than NTP and a slow answer explain, less than what spoils an epoch.
    /// </summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(30);

    private readonly KubernetesApiOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly Jitter _jitter;
    private readonly ILogger<KubernetesApi> _logger;
    private readonly StateLog _retries;
    private readonly ResiliencePipeline _pipeline;
    private readonly Lock _connecting = new();
    private volatile ApiConnection? _connection;
    private volatile bool _isDisposed;

    /// <summary>Makes a client; its configuration is read at the first request.</summary>
    public KubernetesApi(IOptions<KubernetesApiOptions> options, TimeProvider timeProvider, Jitter jitter, ILogger<KubernetesApi> logger)
    {
        _options = options.Value;
        _timeProvider = timeProvider;
        _jitter = jitter;
        _logger = logger;
        _retries = new StateLog(timeProvider);
        _pipeline = ApiResilience.Create(_options, timeProvider, jitter.NextDouble, TellRetry);
    }

    /// <summary>Namespace of our objects.</summary>
    /// <exception cref="KubernetesApiException">The configuration cannot be read.</exception>
    public string Namespace => Connect().Namespace;

    /// <summary>That our clock is far from the API server's, in a sentence; null if it is not, or no answer told the time.</summary>
    public string? ClockProblem { get; private set; }

    /// <summary>What is wrong with a clock; null if it is right enough. Pure.</summary>
    /// <param name="ours">Our time when the answer came.</param>
    /// <param name="theirs">The answer's Date, in whole seconds.</param>
    public static string? FindClockProblem(DateTimeOffset ours, DateTimeOffset theirs)
    {
        // To ten seconds: the Date has whole ones, and an answer takes a while.
        var ahead = TimeSpan.FromSeconds(10 * Math.Round((ours - theirs).TotalSeconds / 10));
        return ahead.Duration() <= ClockTolerance ? null
            : $"this node's clock is {ahead.Duration():c} {(ahead > TimeSpan.Zero ? "ahead of" : "behind")} the API server's; "
                + "epochs, heartbeats and tokens go by it: set it (NTP) on the one that is wrong";
    }

    /// <summary>Sends <paramref name="call"/> and reads the answer.</summary>
    /// <exception cref="KubernetesApiException">After the last retry; its message says what to do.</exception>
    public async Task<T> SendAsync<T>(ApiCall call, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        var attempts = 0;
        try
        {
            return await _pipeline.ExecuteAsync(
                async token =>
                {
                    attempts++;
                    return await SendOnceAsync(call, type, token);
                },
                cancellationToken);
        }
        catch (KubernetesApiException failure)
        {
            failure.Attempts = attempts;
            throw;
        }
        catch (BrokenCircuitException open)
        {
            var last = open.InnerException is { } cause ? $" Last: {cause.Message}" : string.Empty;
            throw new KubernetesApiException(
                ApiFailure.Unavailable,
                0,
                $"The API server failed repeatedly and is not asked for now ({call}); next try in {open.RetryAfter ?? _options.BreakDuration}.{last}",
                open)
            {
                Attempts = attempts,
            };
        }
    }

    /// <summary>All objects of a collection, page by page; begins anew if a page is gone (410).</summary>
    /// <param name="resource">What to list.</param>
    /// <param name="query">Selectors, escaped; empty for all.</param>
    /// <param name="type">How the list is read.</param>
    /// <param name="cancellationToken">Ends the page under way, and asks for no other.</param>
    /// <returns>The items, and the resource version from which a watch goes on.</returns>
    public async Task<(List<T> Items, string ResourceVersion)> ListAsync<T>(
        ApiResource resource, string query, JsonTypeInfo<ResourceList<T>> type, CancellationToken cancellationToken)
        where T : class, IApiObject
    {
        List<T> items = [];
        var next = string.Empty;
        for (var pages = 0; pages < MaxPages; pages++)
        {
            var page =
                $"limit={PageSize}{(query.Length == 0 ? string.Empty : "&" + query)}{(next.Length == 0 ? string.Empty : "&continue=" + Uri.EscapeDataString(next))}";
            var call = new ApiCall(
                "list", resource, resource.IsNamespaced ? resource.Namespace ?? Namespace : null, null)
            {
                Query = page,
            };
            try
            {
                var list = await SendAsync(call, type, cancellationToken);
                if (list is not { Metadata.ResourceVersion: { Length: > 0 } version }
                    || list.Items?.All(item => item is { Metadata: not null }) == false)
                {
                    throw ApiFailures.NotUnderstood(call, new JsonException("it is no list of objects"));
                }

                items.AddRange(list.Items ?? []);
                next = list.Metadata.Continue ?? string.Empty;
                if (next.Length == 0)
                {
                    return (items, version);
                }
            }
            catch (KubernetesApiException gone) when (gone.Failure == ApiFailure.Gone && next.Length > 0)
            {
                items.Clear();
                next = string.Empty;
            }
        }

        throw ApiFailures.NotUnderstood(
            new ApiCall("list", resource, null, null), new JsonException($"the list did not end after {MaxPages} pages"));
    }

    /// <summary>Events of a watch until the server ends it, without any retry: the caller knows where to go on.</summary>
    /// <param name="call">The watch.</param>
    /// <param name="type">How an event is read.</param>
    /// <param name="cancellationToken">Ends the watch, and its connection with it.</param>
    /// <param name="onOpen">Told when the server has accepted it, which on a quiet cluster may be long before the first event.</param>
    /// <exception cref="KubernetesApiException">
    /// The watch was refused, broke, fell silent, made no sense, or is <see cref="ApiFailure.Gone"/>.
    /// </exception>
    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        ApiCall call, JsonTypeInfo<WatchEvent<T>> type, [EnumeratorCancellation] CancellationToken cancellationToken, Action? onOpen = null)
        where T : class, IApiObject
    {
        using var response = await LimitAsync(call, _options.RequestTimeout, token => OpenAsync(call, token), cancellationToken);
        onOpen?.Invoke();
        await using var stream = await LimitAsync(call, _options.RequestTimeout, response.Content.ReadAsStreamAsync, cancellationToken);
        var lines = new LineReader(stream, MaxEventBytes);
        while (await LimitAsync(call, _options.WatchIdleTimeout, token => lines.ReadAsync(token).AsTask(), cancellationToken) is { } line)
        {
            yield return WatchEventReader.Read(call, line, type);
        }
    }

    /// <summary>A number from 0 up to but not including 1, for jitter.</summary>
    public double NextDouble() => _jitter.NextDouble();

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_connecting)
        {
            _isDisposed = true;
            _connection?.Dispose();
            _connection = null;
        }
    }

    private Task<T> SendOnceAsync<T>(ApiCall call, JsonTypeInfo<T> type, CancellationToken cancellationToken) => LimitAsync(
        call,
        _options.RequestTimeout,
        async token =>
        {
            using var response = await OpenAsync(call, token);
            await using var stream = await response.Content.ReadAsStreamAsync(token);
            try
            {
                return await JsonSerializer.DeserializeAsync(stream, type, token) ?? throw new JsonException("The answer is null.");
            }
            catch (Exception error) when (error is JsonException or NotSupportedException)
            {
                throw ApiFailures.NotUnderstood(call, error);
            }
        },
        cancellationToken);

    /// <summary>Does one step with a limit. Whatever goes wrong leaves as the one kind of exception, unless the caller cancelled.</summary>
    /// <remarks>
    /// Not a list of exceptions: a connection that takes too long is a TaskCanceledException, a token with a line break in it a
    /// FormatException, and the next version of a library throws something else. Who calls in a loop that must never end would have to know
    /// them all.
    /// </remarks>
    private async Task<T> LimitAsync<T>(
        ApiCall call, TimeSpan limit, Func<CancellationToken, Task<T>> step, CancellationToken cancellationToken)
    {
        using var time = new TimeLimit(limit, _timeProvider, cancellationToken);
        try
        {
            return await step(time.Token);
        }
        catch (Exception error) when (error is not KubernetesApiException && !_isDisposed)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw ApiFailures.NoAnswer(
                call, _connection?.Server, time.IsOver
                    ? new TimeoutException($"no answer within {limit}", error)
                    : error);
        }
    }

    private async Task<HttpResponseMessage> OpenAsync(ApiCall call, CancellationToken cancellationToken)
    {
        for (var mayReload = true; ; mayReload = false)
        {
            var connection = Connect();
            HttpResponseMessage response;
            try
            {
                using var message = call.ToMessage(connection.Server);
                response = await connection.SendAsync(message, cancellationToken);
            }
            catch (Exception)
            {
                // What was read may have been half-written: the next attempt reads it again.
                TryReload(connection);
                throw;
            }

            CompareClocks(response);
            if (response.IsSuccessStatusCode)
            {
                return response;
            }

            using (response)
            {
                if (response.StatusCode == HttpStatusCode.Unauthorized && mayReload && TryReload(connection))
                {
                    LogTokenReloaded(_logger, call);
                    continue;
                }

                var body = await response.Content.ReadAsStringAsync(cancellationToken);
                throw ApiFailures.Explain(call, response.StatusCode, body, RetryAfter(response));
            }
        }
    }

    // A configuration that could not be read is read again at the next attempt: it may have been half-written, or not been mounted yet.
    private ApiConnection Connect()
    {
        lock (_connecting)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            try
            {
                return _connection ??= new ApiConnection(_options);
            }
            catch (Exception error)
            {
                // KubernetesClient throws a dozen kinds here: its own, YAML's, those of Base64, certificates, files and addresses.
                throw new KubernetesApiException(
                    ApiFailure.Misconfigured, 0, $"How the API server is reached cannot be read; it is read again: {error.Message}", error);
            }
        }
    }

    // A token file is read again by itself; after a change of the kubeconfig all of it is.
    private bool TryReload(ApiConnection connection)
    {
        lock (_connecting)
        {
            if (connection.TryReloadToken())
            {
                return true;
            }

            if (_connection != connection || !connection.IsOutdated())
            {
                return false;
            }

            _connection = null;
        }

        // Watches that are still open on it break, and begin anew.
        connection.Dispose();
        return true;
    }

    private void CompareClocks(HttpResponseMessage response)
    {
        if (response.Headers.Date is not { } theirs)
        {
            return;
        }

        var problem = FindClockProblem(_timeProvider.GetUtcNow(), theirs);
        if (problem is not null && ClockProblem is null)
        {
            LogClock(_logger, problem);
        }

        ClockProblem = problem;
    }

    // Each call of each loop is retried while the server is away.
    private void TellRetry(Exception failure, int retry, TimeSpan pause)
    {
        // Not by the message, in which there are times and ports.
        var kind = failure is KubernetesApiException known ? known.Failure.ToString() : failure.GetType().Name;
        if (_retries.Note("", kind) is { } line)
        {
            LogRetry(_logger, retry, _options.MaxRetries, pause, failure.Message, line.Count);
        }
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => TimeSpan.FromTicks(Math.Max(0, (date - _timeProvider.GetUtcNow()).Ticks)),
        _ => null,
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Retry {Retry} of {MaxRetries} in {Pause}: {Reason} ({Count} retries since the last such line)")]
    private static partial void LogRetry(ILogger logger, int retry, int maxRetries, TimeSpan pause, string reason, long count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Wrong time: {Problem}")]
    private static partial void LogClock(ILogger logger, string problem);

    [LoggerMessage(
        Level = LogLevel.Information, Message = "The API server did not accept the token of {Call}: reading the token file again")]
    private static partial void LogTokenReloaded(ILogger logger, ApiCall call);
}
