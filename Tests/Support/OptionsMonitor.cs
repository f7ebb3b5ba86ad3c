using Microsoft.Extensions.Options;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Options that a test changes in place.</summary>
internal sealed class OptionsMonitor<T>(T value) : IOptionsMonitor<T>
{
    /// <inheritdoc/>
    public T CurrentValue => value;

    /// <inheritdoc/>
    public T Get(string? name) => value;

    /// <inheritdoc/>
    public IDisposable? OnChange(Action<T, string?> listener) => null;
}
