using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>
/// Options that are followed while the silo runs: the last good ones stay in force, and what is wrong with a change is logged.
/// </summary>
/// <remarks>
/// The framework's own monitor throws at whoever says that the configuration changed, tells its listeners nothing, and has no value from
/// then on.
/// </remarks>
/// <typeparam name="T">Options with the default name.</typeparam>
internal sealed partial class FollowedOptions<T> : IOptionsMonitor<T>, IDisposable
    where T : class
{
    private readonly IOptionsFactory<T> _factory;
    private readonly ILogger<FollowedOptions<T>> _logger;
    private readonly Lock _lock = new();
    private readonly List<IDisposable> _subscriptions;
    private event Action<T, string?>? Changed;
    private T? _current;
    private string? _problem;

    /// <summary>Begins to follow. Nothing is read before somebody asks.</summary>
    public FollowedOptions(
        IOptionsFactory<T> factory, IEnumerable<IOptionsChangeTokenSource<T>> sources, ILogger<FollowedOptions<T>> logger)
    {
        (_factory, _logger) = (factory, logger);
        _subscriptions = [.. sources.Select(source => ChangeToken.OnChange(source.GetChangeToken, Follow))];
    }

    /// <inheritdoc/>
    /// <exception cref="OptionsValidationException">The first ones are wrong.</exception>
    public T CurrentValue
    {
        get
        {
            lock (_lock)
            {
                return _current ??= _factory.Create(Options.DefaultName);
            }
        }
    }

    /// <inheritdoc/>
    public T Get(string? name) => CurrentValue;

    /// <inheritdoc/>
    public IDisposable OnChange(Action<T, string?> listener)
    {
        Changed += listener;
        return new Subscription(() => Changed -= listener);
    }

    /// <inheritdoc/>
    public void Dispose() => _subscriptions.ForEach(subscription => subscription.Dispose());

    private void Follow()
    {
        T next;
        try
        {
            next = _factory.Create(Options.DefaultName);
        }
        catch (Exception e) when (e is OptionsValidationException or InvalidOperationException)
        {
            // One edit is often noticed more than once. The binder throws the second kind for a key or a value that it does not know.
            var problem = e is OptionsValidationException { Failures: var failures }
                ? string.Join(" ", failures)
                : $"{e.Message} {e.InnerException?.Message}".TrimEnd();
            if (Interlocked.Exchange(ref _problem, problem) != problem)
            {
                LogIgnored(_logger, typeof(T).Name, problem);
            }

            return;
        }

        lock (_lock)
        {
            (_current, _problem) = (next, null);
        }

        Changed?.Invoke(next, Options.DefaultName);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The changed {Options} are ignored, the former ones stay in force: {Problem}")]
    private static partial void LogIgnored(ILogger logger, string options, string problem);

    private sealed class Subscription(Action dispose) : IDisposable
    {
        public void Dispose() => dispose();
    }
}
