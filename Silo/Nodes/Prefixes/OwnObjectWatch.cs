using System.Text.Json.Serialization.Metadata;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>
/// Follows this node's own object of a kind that the cluster may not have: asks seldom while it has none, and watches that one object
/// once it has. Nobody else's object is asked for.
/// </summary>
/// <remarks>A failure never forgets the object; that the kind is not served, or that the object was deleted, does.</remarks>
/// <typeparam name="T">The kind.</typeparam>
internal sealed partial class OwnObjectWatch<T>
    where T : class, IApiObject
{
    // How long an answer is waited for before the other sources have to do without it.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    // As long as whoever installs it may be about to.
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);

    // An operator who adds a right, or a definition, looks whether that helped.
    private static readonly TimeSpan LongestPauseIfNeeded = TimeSpan.FromSeconds(20);

    private readonly KubernetesApi _api;
    private readonly ApiResource _resource;
    private readonly string _name;
    private readonly JsonTypeInfo<ResourceList<T>> _listType;
    private readonly ListWatch<T> _watch;
    private readonly bool _isNeeded;
    private readonly TimeSpan _longestPause;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly TaskCompletionSource _wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile OwnObjectState<T> _current = new(null, null);
    private SteadyTime? _wantedAt;
    private string? _looked;
    private CancellationTokenSource? _watching;

    /// <summary>Makes a watch; <see cref="RunAsync"/> starts it, and it asks nobody before it is wanted.</summary>
    /// <param name="api">The API server.</param>
    /// <param name="resource">The kind.</param>
    /// <param name="name">Name of this node.</param>
    /// <param name="listType">How a list is read.</param>
    /// <param name="eventType">How an event is read.</param>
    /// <param name="isNeeded">Whether it is the configured source; its absence is a fault then.</param>
    /// <param name="relistPeriod">Longest pause between two lists.</param>
    /// <param name="timeProvider">Clock of the pauses.</param>
    /// <param name="logger">Hears of failures.</param>
    public OwnObjectWatch(
        KubernetesApi api, ApiResource resource, string name,
        JsonTypeInfo<ResourceList<T>> listType, JsonTypeInfo<WatchEvent<T>> eventType,
        bool isNeeded, TimeSpan relistPeriod, TimeProvider timeProvider, ILogger logger)
    {
        (_api, _resource, _name, _listType, _timeProvider, _logger) = (api, resource, name, listType, timeProvider, logger);
        (_isNeeded, _longestPause) = (isNeeded, isNeeded ? LongestPauseIfNeeded : relistPeriod);
        _watch = new(api, timeProvider, logger, $"the {resource.Kind} of this node")
        {
            BeginsAnew = _ => Task.FromResult(_looked is not null),
            List = async cancellationToken => Interlocked.Exchange(ref _looked, null) ?? await ListAsync(cancellationToken),
            RelistPeriod = relistPeriod,
            Watch = query => new("watch", resource, resource.Namespace, null) { Query = $"{query}&{Selector}" },
            Type = eventType,
            Apply = Apply,
            OnFailure = NoteFailure,
            OnProblem = _ => Changed?.Invoke(),
        };
    }

    /// <summary>Raised when <see cref="Current"/> or <see cref="Problem"/> changed. Handlers only note it.</summary>
    public event Action? Changed;

    /// <summary>What is known.</summary>
    public OwnObjectState<T> Current => _current;

    /// <summary>Why what is known may be outdated; <see langword="null"/> while the watch runs.</summary>
    public string? Problem => _current.Object is null ? null : _watch.Problem;

    /// <summary>Whether the kind is served, so that an object may come any moment.</summary>
    public bool IsServed { get; private set; }

    /// <summary>Whether anybody wanted it.</summary>
    public bool IsWanted => _wanted.Task.IsCompleted;

    /// <summary>How long the first answer may still take; nothing or less if nobody should wait for it any more.</summary>
    public TimeSpan PatienceLeft => _wantedAt is { } since ? Patience - (SteadyTime.Now(_timeProvider) - since) : Patience;

    private string Selector => "fieldSelector=" + Uri.EscapeDataString("metadata.name=" + _name);

    /// <summary>Has it asked for.</summary>
    public void Want()
    {
        _wantedAt ??= SteadyTime.Now(_timeProvider);
        _wanted.TrySetResult();
    }

    /// <summary>Follows it until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await _wanted.Task.WaitAsync(cancellationToken);
        for (var pause = FirstPause; ; pause = Longer(pause))
        {
            try
            {
                _looked = await ListAsync(cancellationToken);
                pause = FirstPause;
                using var watching = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                Volatile.Write(ref _watching, watching);
                await _watch.RunAsync(watching.Token);
                Volatile.Write(ref _watching, null);
            }
            catch (KubernetesApiException failure)
            {
                NoteFailure(failure);
                if (_isNeeded)
                {
                    LogFailed(_logger, _resource.Kind, failure.Message);
                }

                // A server that is away is asked again as soon as it may be back.
                pause = failure.IsTransient ? FirstPause : pause;
            }

            // All nodes of a cluster run this loop.
            await Task.Delay(pause * (0.5 + (0.5 * _api.NextDouble())), _timeProvider, cancellationToken);
        }
    }

    private TimeSpan Longer(TimeSpan pause) => pause * 2 < _longestPause ? pause * 2 : _longestPause;

    private async Task<string> ListAsync(CancellationToken cancellationToken)
    {
        var (items, version) = await _api.ListAsync(_resource, Selector, _listType, cancellationToken);

        IsServed = true;

        // Whatever else a server may answer.
        Publish(items.FirstOrDefault(item => item.Metadata.Name == _name) is { } own ? new(own, null) : Missing());
        return version;
    }

    private void Apply(WatchEvent<T> change)
    {
        if (change.Object!.Metadata.Name != _name)
        {
            return;
        }

        if (change.Type != WatchEventType.Deleted)
        {
            Publish(new(change.Object, null));
        }
        else if (_current.Object?.Metadata.Uid == change.Object.Metadata.Uid)
        {
            Publish(Missing());
        }
    }

    private void NoteFailure(Exception failure)
    {
        // A right that is taken away while a cluster is changed takes no prefix with it.
        if (failure is KubernetesApiException absent && (absent.Failure == ApiFailure.MissingDefinition
            || (absent.Failure == ApiFailure.Forbidden && _current.Object is null)))
        {
            IsServed = false;
            Publish(new(null, _isNeeded || absent.Failure == ApiFailure.Forbidden
                ? absent.Message
                : $"the API server does not serve {_resource.FullName}"));
            Volatile.Read(ref _watching)?.Cancel();
        }
    }

    private OwnObjectState<T> Missing() => new(
        null, $"there is no {_resource.Kind} object '{_name}'{(_resource.Namespace is { } space ? $" in {space}" : "")}");

    private void Publish(OwnObjectState<T> next)
    {
        var former = _current;
        _current = next;
        if (next.Absence is null || next.Absence != former.Absence)
        {
            Changed?.Invoke();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "What this node has for its pods cannot be asked of its {Kind}: {Problem}")]
    private static partial void LogFailed(ILogger logger, string kind, string problem);
}
