using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>Follows what this node has for its pods: asks the sources, chooses one of them, and says which and why.</summary>
/// <remarks>
/// <code>
/// own objects of the API server ─┐
/// the list of the nodes         ─┼─▶ PrefixAnswer of each ─▶ PrefixChoice ─▶ SettledChoice ─▶ Current
/// the kernel's links and routes ─┘        (in order)          (pure)          (a while)
/// </code>
/// A source that is away for a while takes nothing with it. What is known at the start, as of a list in the configuration, is there before
/// anything runs.
/// </remarks>
internal sealed partial class OwnPrefixSource : BackgroundService, IOwnPrefixSource
{
    private static readonly EquatableArray<NodeProblem> None = [];

    private readonly INodeRosterSource _roster;
    private readonly NodeWatcher? _nodes;
    private readonly NodesOptions _options;
    private readonly NodeOptions _node;
    private readonly EndlessLoops _loops;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger<OwnPrefixSource> _logger;
    private readonly ILogger<NetlinkPodMonitor> _monitorLogger;
    private readonly OwnObjectWatch<NodeNetworkConfig>? _networkConfig;
    private readonly OwnObjectWatch<NodeObject>? _ciliumNode;
    private readonly OwnObjectWatch<NodeObject>? _plainNode;
    private readonly KernelPods? _kernel;
    private readonly EquatableArray<IPPrefix> _ranges;
    private readonly SettledChoice _settled = new();
    private readonly AsyncSignal _changed = new();
    private readonly Lock _lock = new();
    private OwnPrefixes? _current;
    private EquatableArray<NodeProblem> _problems = [];

    /// <summary>Makes the source, and takes what is known without asking anybody.</summary>
    /// <param name="roster">Who the nodes are.</param>
    /// <param name="options">What is configured of them.</param>
    /// <param name="node">Which one this is.</param>
    /// <param name="dump">Reads the kernel.</param>
    /// <param name="loops">Keeps the loops.</param>
    /// <param name="timeProvider">Clock of the pauses.</param>
    /// <param name="loggers">Makes the loggers.</param>
    /// <param name="api">The API server; <see langword="null"/> if none is known.</param>
    /// <param name="nodes">Follows the nodes of Kubernetes; <see langword="null"/> if they come from elsewhere.</param>
    public OwnPrefixSource(
        INodeRosterSource roster, IOptions<NodesOptions> options, IOptions<NodeOptions> node, INetworkDump dump,
        EndlessLoops loops, TimeProvider timeProvider, ILoggerFactory loggers, KubernetesApi? api = null, NodeWatcher? nodes = null)
    {
        (_roster, _nodes, _options, _node) = (roster, nodes, options.Value, node.Value);
        (_loops, _timeProvider) = (loops, timeProvider);
        (_logger, _monitorLogger) = (loggers.CreateLogger<OwnPrefixSource>(), loggers.CreateLogger<NetlinkPodMonitor>());
        _ranges = PrefixSet.Merge(_options.PodRanges.Select(IPPrefix.Parse));
        var configured = _options.Prefixes;
        if (api is not null && (nodes is not null || configured != PrefixSource.Auto))
        {
            _networkConfig = new(
                api, ApiResource.NodeNetworkConfigs, _node.Name, PrefixesJson.Default.ResourceListNodeNetworkConfig,
                PrefixesJson.Default.WatchEventNodeNetworkConfig, configured == PrefixSource.NodeNetworkConfig, _options.RelistPeriod,
                timeProvider, _logger);
            _ciliumNode = WatchOf(api, ApiResource.CiliumNodes, configured == PrefixSource.CiliumNode);
            _plainNode = WatchOf(api, ApiResource.Nodes, configured == PrefixSource.Node);
        }

        // Who writes the prefixes down is not asked whether the kernel agrees.
        if (configured is PrefixSource.Kernel or PrefixSource.CiliumNode || (configured == PrefixSource.Auto && nodes is not null))
        {
            var isSource = _ranges.Count > 0 && configured is PrefixSource.Kernel or PrefixSource.Auto;
            _kernel = new KernelPods(dump, _ranges, isSource, FindNodeAddresses, timeProvider, _logger);
            _kernel.Changed += Note;
        }

        if (_networkConfig is not null)
        {
            _networkConfig.Changed += Note;
            _ciliumNode!.Changed += Note;
            _plainNode!.Changed += Note;
        }

        _roster.Changed += Note;
        Evaluate();
    }

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public OwnPrefixes? Current
    {
        get
        {
            lock (_lock)
            {
                return _current;
            }
        }
    }

    /// <inheritdoc/>
    public EquatableArray<NodeProblem> Problems
    {
        get
        {
            lock (_lock)
            {
                return _problems;
            }
        }
    }

    /// <summary>What follows the kernel; <see langword="null"/> if nobody has to.</summary>
    internal KernelPods? Kernel => _kernel;

    /// <inheritdoc/>
    public override void Dispose()
    {
        _roster.Changed -= Note;
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // What changes between the first read and this would be noticed late only.
        using var monitor = _kernel is null ? null : new NetlinkPodMonitor(new PodNewsFilter(_ranges), _kernel.Hear, _monitorLogger);
        monitor?.Start();
        List<Task> running = [_loops.KeepAsync("The choice of the prefixes", FollowAsync, stoppingToken)];
        if (_kernel is not null)
        {
            running.Add(_loops.RepeatAsync(
                "The reading of local pods", _kernel.RunAsync, failures => TimeSpan.FromSeconds(Math.Min(failures, 20)), stoppingToken));
        }

        if (_nodes is not null)
        {
            running.Add(_loops.RepeatAsync(
                "The prefixes of the nodes", FollowNodesAsync, failures => TimeSpan.FromSeconds(Math.Min(failures, 20)), stoppingToken));
        }

        if (_networkConfig is not null)
        {
            running.Add(_loops.KeepAsync("The watch of the NodeNetworkConfig", _networkConfig.RunAsync, stoppingToken));
            running.Add(_loops.KeepAsync("The watch of the CiliumNode", _ciliumNode!.RunAsync, stoppingToken));
            running.Add(_loops.KeepAsync("The watch of the Node", _plainNode!.RunAsync, stoppingToken));
        }

        await Task.WhenAll(running);
        if (monitor is not null)
        {
            await monitor.StopAsync(CancellationToken.None);
        }
    }

    private OwnObjectWatch<NodeObject> WatchOf(KubernetesApi api, ApiResource resource, bool isNeeded) => new(
        api, resource, _node.Name, NodesJson.Default.ResourceListNodeObject, NodesJson.Default.WatchEventNodeObject,
        isNeeded, _options.RelistPeriod, _timeProvider, _logger);

    private void Note() => _changed.Set();

    private async Task FollowNodesAsync(CancellationToken cancellationToken)
    {
        await foreach (var _ in _nodes!.ChangesAsync(cancellationToken))
        {
            Note();
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var changed = _changed.Next;
            if (Evaluate() is { } due)
            {
                await Task.WhenAny(changed, Task.Delay(due, _timeProvider, cancellationToken));
            }
            else
            {
                await changed.WaitAsync(cancellationToken);
            }
        }
    }

    // How long until it may be decided otherwise although nothing changes.
    private TimeSpan? Evaluate()
    {
        var decision = Decide(out var answers, out var due);
        if (decision is null)
        {
            return due;
        }

        var before = _settled.Source;
        due = _settled.Take(decision.Chosen?.Source, SteadyTime.Now(_timeProvider));
        var inForce = due is null
            ? decision.Chosen
            : answers.FirstOrDefault(answer => answer.Source == _settled.Source && answer.IsTold);
        if (due is not null && inForce is null)
        {
            // What it told last, until it is certain that it tells nothing any more.
            return due;
        }

        Publish(inForce, due is null ? decision.Because : null, decision, due is null && before != _settled.Source);
        return due;
    }

    private PrefixDecision? Decide(out IReadOnlyList<PrefixAnswer> answers, out TimeSpan? due)
    {
        due = null;
        var known = _nodes?.Current;
        var order = PrefixChoice.Order(_options.Prefixes, _nodes is not null, known?.Kind, _ranges.Count > 0);
        var pods = _kernel?.Current?.Pods;
        answers = [.. order.Select(source => Answer(source, known, pods))];
        if (_kernel is { Current: null, Problem: null })
        {
            // Read in a moment; what contradicts a source must not come after it was told.
            return null;
        }

        var decision = PrefixChoice.Choose(_options.Prefixes != PrefixSource.Auto, answers, pods);
        if (decision.WaitsFor is not { } missing)
        {
            return decision;
        }

        due = Ask(missing);
        return null;
    }

    private TimeSpan? Ask(PrefixSource source)
    {
        var left = source switch
        {
            PrefixSource.NodeNetworkConfig => Want(_networkConfig),
            PrefixSource.CiliumNode when !IsListed(ApiResource.CiliumNodes) => Want(_ciliumNode),
            PrefixSource.Node when !IsListed(ApiResource.Nodes) => Want(_plainNode),
            _ => null,
        };
        return left < TimeSpan.Zero ? TimeSpan.Zero : left;

        static TimeSpan? Want<T>(OwnObjectWatch<T>? watch)
            where T : class, IApiObject
        {
            watch?.Want();
            return watch?.PatienceLeft;
        }
    }

    private void Publish(PrefixAnswer? inForce, string? because, PrefixDecision decision, bool isNewChoice)
    {
        var next = new OwnPrefixes(
            inForce?.Prefixes ?? [], _ranges.Count > 0 ? _ranges : inForce?.PodRanges ?? [])
        {
            Source = inForce?.Source.ToString() ?? "",
            Because = because ?? Current?.Because ?? "",
            ArePodRangesWhole = _ranges.Count > 0,
            IsRosterBelieved = IsRosterBelieved(inForce?.Source, decision),
        };
        var problems = FindProblems(inForce, next);
        bool hasChanged;
        lock (_lock)
        {
            hasChanged = next != _current || problems != _problems;
            (_current, _problems) = (next, problems);
        }

        if (isNewChoice || (inForce is null && hasChanged))
        {
            LogChoice(next);
        }

        if (hasChanged)
        {
            Changed?.Invoke();
        }
    }

    // Where nothing is known, what the list says of others is what there is; unless it was found to be about something else.
    private bool IsRosterBelieved(PrefixSource? source, PrefixDecision decision)
    {
        var listedBy = _nodes is null ? PrefixSource.Static
            : IsListed(ApiResource.CiliumNodes) ? PrefixSource.CiliumNode
            : PrefixSource.Node;
        return source == listedBy || (source is null && !decision.Contradicted.Contains(listedBy));
    }

    private EquatableArray<NodeProblem> FindProblems(PrefixAnswer? inForce, OwnPrefixes next)
    {
        if (inForce is null)
        {
            return [NodeProblem.Of(NodeProblemCode.NoPrefixes, next.Because)];
        }

        var faults = inForce.Faults.Select(fault => NodeProblem.Of(NodeProblemCode.ObjectWrong, inForce.Source.ToString(), fault));
        var outdated = inForce.Source switch
        {
            PrefixSource.NodeNetworkConfig => _networkConfig?.Problem,
            PrefixSource.CiliumNode when !IsListed(ApiResource.CiliumNodes) => _ciliumNode?.Problem,
            PrefixSource.Node when !IsListed(ApiResource.Nodes) => _plainNode?.Problem,
            PrefixSource.Kernel => _kernel?.Problem,
            _ => null,
        };
        return outdated is null
            ? faults.Any() ? faults.ToEquatableArray() : None
            : [.. faults, NodeProblem.Of(NodeProblemCode.PrefixesOutdated, inForce.Source.ToString(), outdated)];
    }

    private void LogChoice(OwnPrefixes chosen)
    {
        if (chosen.Source.Length == 0)
        {
            LogNone(_logger, chosen.Because);
        }
        else
        {
            LogChosen(_logger, chosen.Source, chosen.Because, chosen.Prefixes.Count);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "What this node has for its pods is told by {Source}, because: {Because} ({Count} prefixes)")]
    private static partial void LogChosen(ILogger logger, string source, string because, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Nothing tells what this node has for its pods, so none of them is encrypted: {Because}")]
    private static partial void LogNone(ILogger logger, string because);
}
