namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>
/// Looks every two seconds whether the configuration file says something else, for the options that are followed while the silo runs. What
/// is wrong with it is logged once, and what was read before stays in force.
/// </summary>
/// <param name="configuration">Where the file is a source.</param>
/// <param name="timeProvider">The clock.</param>
/// <param name="logger">Where to say it.</param>
internal sealed partial class ConfigurationFollower(
    IConfiguration configuration, TimeProvider timeProvider, ILogger<ConfigurationFollower> logger)
    : BackgroundService
{
    /// <summary>From one look to the next: a kubelet takes up to a minute to bring a ConfigMap, and a person waits two seconds.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly List<FollowedJsonFile> _files = [.. ((IConfigurationRoot)configuration).Providers.OfType<FollowedJsonFile>()];
    private string? _seen;
    private string? _told;

    /// <summary>Says which keys of the files are ignored, and which do not fit the version that they say to be of.</summary>
    public void TellNotable() => _files.ForEach(TellNotable);

    /// <summary>Looks once at every file, and says what changed.</summary>
    public void Look()
    {
        foreach (var file in _files)
        {
            Look(file);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, timeProvider);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            Look();
        }
    }

    private void Look(FollowedJsonFile file)
    {
        bool isChanged;
        try
        {
            isChanged = file.TryRead();
            (_seen, _told) = (null, null);
        }
        catch (Exception e)
        {
            // Whatever it is: a file that cannot be read ends no silo.
            // While a file is being replaced it may be gone or half-written for a moment, so only what is still wrong at the next look is
            // worth a line, and that once.
            if (_seen == e.Message && _told != e.Message)
            {
                _told = e.Message;
                LogUnreadable(logger, file.Path, e.Message);
            }

            _seen = e.Message;
            return;
        }

        if (!isChanged)
        {
            return;
        }

        TellNotable(file);
        try
        {
            file.Announce();
        }
        catch (Exception e)
        {
            // Whoever follows cannot use it, such as the log a level that is none. That ends neither the following nor the silo.
            LogUnusable(logger, file.Path, e.GetBaseException().Message);
        }
    }

    private void TellNotable(FollowedJsonFile file)
    {
        if (file.Verdict is not { Version: { } version } verdict)
        {
            return;
        }

        if (!verdict.Ignored.IsEmpty)
        {
            LogIgnored(logger, file.Path, version, SiloConfiguration.OwnVersion, string.Join(", ", verdict.Ignored));
        }

        if (!verdict.Ahead.IsEmpty)
        {
            LogAhead(
                logger, file.Path, version, string.Join(", ", verdict.Ahead.Select(setting => $"{setting.Key} (since {setting.Since})")),
                verdict.Ahead.Max(setting => setting.Since));
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The configuration {File} is of version {Version}, newer than this owg, {Own}, which ignores what it does not know: {Keys}")]
    private static partial void LogIgnored(ILogger logger, string file, ReleaseVersion version, ReleaseVersion own, string keys);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The configuration {File} says to be of version {Version}, but an owg of that version refuses {Keys}; say {Needed} there")]
    private static partial void LogAhead(ILogger logger, string file, ReleaseVersion version, string keys, ReleaseVersion needed);

    [LoggerMessage(
        Level = LogLevel.Warning, Message = "The changed configuration {File} is ignored, the former one stays in force: {Problem}")]
    private static partial void LogUnreadable(ILogger logger, string file, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Something in the changed configuration {File} cannot be used: {Problem}")]
    private static partial void LogUnusable(ILogger logger, string file, string problem);
}
