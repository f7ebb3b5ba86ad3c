using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>The roster of the configuration, followed when the file changes.</summary>
internal sealed partial class StaticRosterSource : INodeRosterSource, IDisposable
{
    private readonly IDisposable? _subscription;
    private readonly string _localName;
    private readonly ILogger<StaticRosterSource> _logger;
    private volatile NodeRoster _current;

    /// <summary>Reads the roster for the first time.</summary>
    public StaticRosterSource(IOptionsMonitor<NodesOptions> nodes, IOptions<NodeOptions> node, ILogger<StaticRosterSource> logger)
    {
        (_localName, _logger) = (node.Value.Name, logger);
        _current = StaticRoster.TryParse(nodes.CurrentValue, _localName, out var failures)
            ?? throw new OptionsValidationException(NodesOptions.SectionName, typeof(NodesOptions), failures);
        _subscription = nodes.OnChange(Follow);
    }

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public NodeRoster? Current => _current;

    /// <inheritdoc/>
    public void Dispose() => _subscription?.Dispose();

    private void Follow(NodesOptions options)
    {
        if (StaticRoster.TryParse(options, _localName, out var failures) is not { } roster)
        {
            // A half-written file must not take nodes out of the mesh.
            var problem = string.Join(" ", failures);
            LogIgnored(_logger, problem);
            return;
        }

        _current = roster;
        LogFollowed(_logger, roster.Nodes.Count);
        Changed?.Invoke();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The changed roster is ignored, the former one stays in force: {Problem}")]
    private static partial void LogIgnored(ILogger logger, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "The roster changed and has {Nodes} nodes")]
    private static partial void LogFollowed(ILogger logger, int nodes);
}
