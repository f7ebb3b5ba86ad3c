using Microsoft.Extensions.Logging;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>Puts what the product logs into the trace; an error is a failure.</summary>
internal sealed class SimulationLogger<T>(Simulation simulation) : ILogger<T>
{
    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    /// <inheritdoc/>
    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        simulation.Trace(() => formatter(state, exception));
        if (logLevel >= LogLevel.Error)
        {
            simulation.Fail(exception ?? new InvalidOperationException(formatter(state, null)));
        }
    }
}
