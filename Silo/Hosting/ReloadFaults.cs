using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.Primitives;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Logs why a changed configuration file could not be read. Nothing of it is followed then; what was read before stays in force.</summary>
/// <param name="configuration">Where the file is a source.</param>
/// <param name="logger">Where to say it.</param>
internal sealed partial class ReloadFaults(IConfiguration configuration, ILogger<ReloadFaults> logger) : IHostedService, IDisposable
{
    private IDisposable? _subscription;
    private string? _problem;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Only now: at the first reading a fault has to end the start.
        foreach (var provider in ((IConfigurationRoot)configuration).Providers.OfType<JsonConfigurationProvider>())
        {
            provider.Source.OnLoadException = context => Tell(context.Provider.Source.Path, context.Exception);
        }

        _subscription = ChangeToken.OnChange(configuration.GetReloadToken, () => _problem = null);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public void Dispose() => _subscription?.Dispose();

    // One edit is often noticed more than once.
    private void Tell(string? path, Exception exception)
    {
        var problem = exception.GetBaseException().Message;
        if (Interlocked.Exchange(ref _problem, problem) != problem)
        {
            LogUnreadable(logger, path, problem);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The changed configuration {File} is ignored, the former one stays in force: {Problem}")]
    private static partial void LogUnreadable(ILogger logger, string? file, string problem);
}
