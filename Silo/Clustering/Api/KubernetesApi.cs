using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;
using Polly;
using Polly.CircuitBreaker;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>Sends requests to the Kubernetes API, again if that may help, and explains why one failed.</summary>
/// <remarks>Thread-safe. Only <see cref="KubernetesApiException"/> and cancellation leave its methods.</remarks>
internal sealed partial class KubernetesApi : IDisposable
{
    /// <summary>Key of the <see cref="Random"/> that jitters our pauses.</summary>
    public const string RandomKey = "Orleans.WireGuard.KubernetesApi";

    /// <summary>Longest line of a watch, in bytes: an object of etcd's limit, escaped, with room to spare.</summary>
    private const int MaxEventBytes = 8 * 1024 * 1024;

    /// <summary>Objects per page of a list: some hundred KB each.</summary>
    private const int PageSize = 500;

    /// <summary>How far our clock may be from the server's: more than NTP and a slow answer explain, less than what spoils an epoch.</summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(30);

    private readonly KubernetesApiOptions _options;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly ILogger<KubernetesApi> _logger;
    private readonly ResiliencePipeline _pipeline;
    private readonly Lazy<ApiConnection> _connection;

    /// <summary>Makes a client; its configuration is read at the first request.</summary>
    public KubernetesApi(IOptions<KubernetesApiOptions> options, TimeProvider time, Random random, ILogger<KubernetesApi> logger)
    {
        _options = options.Value;
        _time = time;
        _random = random;
        _logger = logger;
        _pipeline = ApiResilience.Create(_options, time, NextDouble, (failure, retry, pause) => LogRetry(_logger, retry, _options.MaxRetries, pause, failure.Message));
        _connection = new(() => new ApiConnection(_options));
    }

    /// <summary>Namespace of our objects.</summary>
    public string Namespace => _connection.Value.Namespace;

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
            throw new KubernetesApiException(
                ApiFailure.Unavailable, 0, $"The API server failed repeatedly and is not asked for now ({call}); next try in {open.RetryAfter ?? _options.BreakDuration}.", open)
            {
                Attempts = attempts,
            };
        }
    }

    /// <summary>All objects of a collection, page by page; begins anew if a page is gone (410).</summary>
    /// <param name="resource">What to list.</param>
    /// <param name="query">Selectors, escaped; empty for all.</param>
    /// <param name="type">How the list is read.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The items, and the resource version from which a watch goes on.</returns>
    public async Task<(List<T> Items, string ResourceVersion)> ListAsync<T>(
        ApiResource resource, string query, JsonTypeInfo<ResourceList<T>> type, CancellationToken cancellationToken)
    {
        List<T> items = [];
        var next = string.Empty;
        while (true)
        {
            var page = $"limit={PageSize}{(query.Length == 0 ? string.Empty : "&" + query)}{(next.Length == 0 ? string.Empty : "&continue=" + Uri.EscapeDataString(next))}";
            var call = new ApiCall("list", resource, resource.IsNamespaced ? Namespace : null, null) { Query = page };
            try
            {
                var list = await SendAsync(call, type, cancellationToken);
                items.AddRange(list.Items);
                next = list.Metadata.Continue ?? string.Empty;
                if (next.Length == 0)
                {
                    return (items, list.Metadata.ResourceVersion ?? string.Empty);
                }
            }
            catch (KubernetesApiException gone) when (gone.Failure == ApiFailure.Gone && next.Length > 0)
            {
                items.Clear();
                next = string.Empty;
            }
        }
    }

    /// <summary>Events of a watch until the server ends it, without any retry: the caller knows where to go on.</summary>
    /// <exception cref="KubernetesApiException">The watch was refused, broke, or is <see cref="ApiFailure.Gone"/>.</exception>
    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        ApiCall call, JsonTypeInfo<WatchEvent<T>> type, [EnumeratorCancellation] CancellationToken cancellationToken, Action? onOpen = null)
    {
        using var response = await OpenAsync(call, cancellationToken);

        // A quiet cluster may send nothing for a minute, yet the server answers.
        onOpen?.Invoke();
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var lines = new LineReader(stream, MaxEventBytes);
        while (true)
        {
            ReadOnlyMemory<byte>? line;
            try
            {
                line = await lines.ReadAsync(cancellationToken);
            }
            catch (Exception error) when (IsTransport(error, cancellationToken))
            {
                throw ApiFailures.NoAnswer(call, _connection.Value.Server, error);
            }

            if (line is null)
            {
                yield break;
            }

            yield return Decode(call, line.Value, type);
        }
    }

    /// <summary>A number from 0 up to but not including 1, for jitter.</summary>
    public double NextDouble()
    {
        // An injected Random is not thread-safe.
        lock (_random)
        {
            return _random.NextDouble();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_connection.IsValueCreated)
        {
            _connection.Value.Dispose();
        }
    }

    private static WatchEvent<T> Decode<T>(ApiCall call, ReadOnlyMemory<byte> line, JsonTypeInfo<WatchEvent<T>> type)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            if (document.RootElement.GetProperty("type").GetString() == "ERROR")
            {
                throw ApiFailures.FromEvent(call, document.RootElement.GetProperty("object").GetRawText());
            }

            return document.RootElement.Deserialize(type)!;
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException)
        {
            throw new KubernetesApiException(
                ApiFailure.Unavailable, 200, $"The API server sent an event that is not understood ({call}): {error.Message}", error);
        }
    }

    private async Task<T> SendOnceAsync<T>(ApiCall call, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_options.RequestTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using var response = await OpenAsync(call, either.Token);
            await using var stream = await response.Content.ReadAsStreamAsync(either.Token);
            return await JsonSerializer.DeserializeAsync(stream, type, either.Token)
                ?? throw new JsonException("The answer is null.");
        }
        catch (OperationCanceledException late) when (!cancellationToken.IsCancellationRequested)
        {
            throw ApiFailures.NoAnswer(call, _connection.Value.Server, new TimeoutException($"no answer within {_options.RequestTimeout}", late));
        }
        catch (JsonException error)
        {
            throw new KubernetesApiException(ApiFailure.Invalid, 200, $"The API server's answer to {call} is not understood: {error.Message}", error);
        }
        catch (Exception error) when (error is not KubernetesApiException && IsTransport(error, cancellationToken))
        {
            throw ApiFailures.NoAnswer(call, _connection.Value.Server, error);
        }
    }

    private async Task<HttpResponseMessage> OpenAsync(ApiCall call, CancellationToken cancellationToken)
    {
        try
        {
            var connection = _connection.Value;
            for (var mayReload = true; ; mayReload = false)
            {
                using var message = call.ToMessage(connection.Server);
                var response = await connection.SendAsync(message, cancellationToken);
                CompareClocks(response);
                if (response.IsSuccessStatusCode)
                {
                    return response;
                }

                using (response)
                {
                    if (response.StatusCode == HttpStatusCode.Unauthorized && mayReload && connection.TryReloadToken())
                    {
                        LogTokenReloaded(_logger, call);
                        continue;
                    }

                    var body = await response.Content.ReadAsStringAsync(cancellationToken);
                    throw ApiFailures.Explain(call, response.StatusCode, body, RetryAfter(response));
                }
            }
        }
        catch (Exception error) when (error is not KubernetesApiException && IsTransport(error, cancellationToken))
        {
            throw ApiFailures.NoAnswer(call, _connection.Value.Server, error);
        }
    }

    private void CompareClocks(HttpResponseMessage response)
    {
        if (response.Headers.Date is not { } theirs)
        {
            return;
        }

        var problem = FindClockProblem(_time.GetUtcNow(), theirs);
        if (problem is not null && ClockProblem is null)
        {
            LogClock(_logger, problem);
        }

        ClockProblem = problem;
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => TimeSpan.FromTicks(Math.Max(0, (date - _time.GetUtcNow()).Ticks)),
        _ => null,
    };

    // Cancellation by our caller is not a failure of the server; a token file that vanished for a moment is one of transport.
    private static bool IsTransport(Exception error, CancellationToken cancellationToken) =>
        !cancellationToken.IsCancellationRequested
        && error is HttpRequestException or IOException or UnauthorizedAccessException or AggregateException or System.Security.Authentication.AuthenticationException;

    [LoggerMessage(EventId = 5101, Level = LogLevel.Warning, Message = "Retry {Retry} of {MaxRetries} in {Pause}: {Reason}")]
    private static partial void LogRetry(ILogger logger, int retry, int maxRetries, TimeSpan pause, string reason);

    [LoggerMessage(EventId = 5103, Level = LogLevel.Warning, Message = "Wrong time: {Problem}")]
    private static partial void LogClock(ILogger logger, string problem);

    [LoggerMessage(EventId = 5102, Level = LogLevel.Information, Message = "The API server did not accept the token of {Call}: reading the token file again")]
    private static partial void LogTokenReloaded(ILogger logger, ApiCall call);
}
