using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Keeps what is logged, as text.</summary>
internal sealed class LogRecorder : ILoggerProvider, ILogger
{
    private readonly ConcurrentQueue<string> _lines = [];
    private readonly ConcurrentQueue<Exception> _exceptions = [];

    /// <summary>What was logged with a stack trace.</summary>
    public IReadOnlyList<Exception> Exceptions => [.. _exceptions];

    /// <summary>What was logged so far, each with its level in front.</summary>
    public IReadOnlyList<string> Lines => [.. _lines];

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => this;

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => true;

    /// <inheritdoc/>
    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        _lines.Enqueue($"{logLevel}: {formatter(state, exception)}");
        if (exception is not null)
        {
            _exceptions.Enqueue(exception);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
