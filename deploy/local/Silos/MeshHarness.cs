using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Silos;

/// <summary>A mesh on this machine from its first namespace to its last: topology, membership store and silos.</summary>
/// <remarks>Both the demo and the end-to-end tests drive a mesh through this type only.</remarks>
internal sealed class MeshHarness : IAsyncDisposable
{
    private const string Program = "owg";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    // terminationGracePeriodSeconds of the DaemonSet.
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan RemoveTimeout = TimeSpan.FromSeconds(20);

    private readonly MeshLock _lock;
    private readonly TimeProvider _timeProvider;
    private readonly ProcessRecorder _recorder;
    private readonly Dictionary<NodePlan, OwnedProcess> _silos = [];
    private readonly ReadinessProbe _readiness;

    private MeshHarness(MeshPlan plan, MeshState state, MeshLock meshLock, TimeProvider timeProvider)
    {
        Plan = plan;
        State = state;
        _lock = meshLock;
        _timeProvider = timeProvider;
        _recorder = new ProcessRecorder(state.ProcessFile);
        _readiness = new ReadinessProbe(plan);
        Topology = new TopologyBuilder(plan, state);
        Redis = new RedisServer(plan, state, _recorder, timeProvider);
    }

    /// <summary>Names and addresses.</summary>
    public MeshPlan Plan { get; }

    /// <summary>Files.</summary>
    public MeshState State { get; }

    /// <summary>Namespaces and links.</summary>
    public TopologyBuilder Topology { get; }

    /// <summary>The membership store.</summary>
    public RedisServer Redis { get; }

    /// <summary>Starts helpers of the mesh, such as a capture, and notes their ids.</summary>
    public ProcessRecorder Recorder => _recorder;

    /// <summary>Where this program's own runtime is installed: the value of DOTNET_ROOT for others.</summary>
    public static string RuntimeDirectory { get; } =
        Path.GetFullPath(Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "../../.."));

    /// <summary>Cleans leftovers of the same prefix and makes the topology.</summary>
    /// <param name="plan">Names and addresses.</param>
    /// <param name="state">Files.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="report">Gets a sentence about leftovers that were found.</param>
    /// <param name="cancellationToken">Stops and removes what was made so far.</param>
    /// <exception cref="MeshInUseException">Another process runs a mesh of this prefix.</exception>
    /// <exception cref="MeshFailedException">Nodes cannot reach each other on the underlay, or leftovers cannot be removed.</exception>
    public static async Task<MeshHarness> CreateAsync(
        MeshPlan plan, MeshState state, TimeProvider timeProvider, Action<string> report, CancellationToken cancellationToken)
    {
        var meshLock = MeshLock.Acquire(plan, state);
        var harness = new MeshHarness(plan, state, meshLock, timeProvider);
        try
        {
            var remover = new TopologyRemover(plan, state, timeProvider);
            var leftovers = await remover.FindAsync(cancellationToken);
            if (leftovers.Count > 0)
            {
                report($"Removing what an earlier run left behind: {string.Join(", ", leftovers)}.");
                await remover.RemoveAsync(cancellationToken);
            }

            Directory.CreateDirectory(state.Directory);
            MeshLock.WriteOwner(state);
            await harness.Topology.CreateAsync(cancellationToken);
            return harness;
        }
        catch
        {
            await harness.DisposeAsync();
            throw;
        }
    }

    /// <summary>Puts the binary where <c>deploy/local/exec</c> finds it.</summary>
    /// <param name="binary">Path of the silo executable.</param>
    /// <param name="name">By which name it is called.</param>
    public void InstallBinary(string binary, string name = Program)
    {
        // A wrapper rather than a link, because a runtime outside the usual places is found only by DOTNET_ROOT.
        var wrapper = Path.Combine(State.BinDirectory, name);
        File.WriteAllText(
            wrapper, $"#!/bin/sh\nexport DOTNET_ROOT=\"${{DOTNET_ROOT:-{RuntimeDirectory}}}\"\nexec \"{Path.GetFullPath(binary)}\" \"$@\"\n");
        File.SetUnixFileMode(wrapper, (UnixFileMode)Convert.ToInt32("755", 8));
    }

    /// <summary>Writes the configurations of all silos.</summary>
    /// <param name="period">Length of an epoch.</param>
    /// <param name="change">Changes each of them before it is written.</param>
    public void Configure(TimeSpan period, Action<JsonObject>? change = null)
    {
        foreach (var node in Plan.Nodes)
        {
            var configuration = SiloConfiguration.Create(Plan, node, period);
            change?.Invoke(configuration);
            File.WriteAllText(State.SiloConfiguration(node), configuration.ToJsonString(Indented) + "\n");
        }
    }

    /// <summary>Starts the silo of a node with its configuration file, and with environment variables besides the usual ones.</summary>
    /// <param name="node">The node.</param>
    /// <param name="variables">Besides those of a node.</param>
    /// <param name="program">The name by which its binary was installed.</param>
    public void StartSilo(NodePlan node, IReadOnlyDictionary<string, string?>? variables = null, string program = Program) =>
        _silos[node] = _recorder.Start(
            NamespaceCommand.InNode(State, node, program, "run", "--config", State.SiloConfiguration(node)),
            State.SiloLog(node),
            NamespaceCommand.NodeEnvironment(State, node).Concat(variables ?? new Dictionary<string, string?>()).ToDictionary());

    /// <summary>The silo process of a node, if one was started.</summary>
    public OwnedProcess? Silo(NodePlan node) => _silos.GetValueOrDefault(node);

    /// <summary>Kills the silo as a crash would, and waits until it is gone. The data plane stays.</summary>
    public Task KillSiloAsync(NodePlan node, CancellationToken cancellationToken) =>
        EndSiloAsync(node, NativeMethods.SIGKILL, TimeSpan.FromSeconds(5), cancellationToken);

    /// <summary>Ends the silo as a kubelet does, and waits until it is gone. The data plane stays.</summary>
    public Task StopSiloAsync(NodePlan node, CancellationToken cancellationToken) =>
        EndSiloAsync(node, NativeMethods.SIGTERM, StopTimeout, cancellationToken);

    private async Task EndSiloAsync(NodePlan node, int signal, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var silo = _silos[node];
        silo.Signal(signal);
        if (!await silo.WaitForExitAsync(timeout, _timeProvider, cancellationToken))
        {
            throw new MeshFailedException($"Process {silo.Id}, the silo of {node.Name}, was not gone {timeout.TotalSeconds} s after signal {signal}.");
        }
    }

    /// <summary>Asks a silo whether it is ready; one that has ended says how.</summary>
    public async Task<Readiness> AskReadyAsync(NodePlan node, CancellationToken cancellationToken) =>
        _silos.TryGetValue(node, out var silo) && !silo.IsAlive
            ? new Readiness(false, $"process {silo.Id} has ended")
            : await _readiness.AskAsync(node, cancellationToken);

    /// <summary>Runs a command inside a node and waits for its end.</summary>
    public Task<CommandResult> RunAsync(NodePlan node, CancellationToken cancellationToken, params IEnumerable<string> command)
    {
        var line = NamespaceCommand.InNode(State, node, command);
        return Command.RunAsync(line[0], line.Skip(1), cancellationToken, environment: NamespaceCommand.NodeEnvironment(State, node));
    }

    /// <summary>
    /// Runs the userspace devices of all nodes ahead of every other process, so that packets are not lost to the load of the machine.
    /// </summary>
    /// <exception cref="MeshFailedException">The system does not allow it.</exception>
    public async Task FavourDevicesAsync(CancellationToken cancellationToken)
    {
        foreach (var node in Plan.Nodes)
        {
            var processes = await Command.RunAsync("ip", ["netns", "pids", node.Namespace], cancellationToken);
            foreach (var id in processes.EnsureSuccess().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                if (File.ReadAllText($"/proc/{id}/comm").Trim() == "wireguard-go"
                    && !RealTimePriority.Give(int.Parse(id, CultureInfo.InvariantCulture)))
                {
                    throw new MeshFailedException(
                        $"wireguard-go of {node.Name} (process {id}) cannot have real-time priority: expected root with CAP_SYS_NICE.");
                }
            }
        }
    }

    /// <summary>Removes everything that belongs to the mesh. Not cancellable, but bounded.</summary>
    public async ValueTask DisposeAsync()
    {
        _readiness.Dispose();
        try
        {
            using var limit = new CancellationTokenSource(RemoveTimeout, _timeProvider);
            await new TopologyRemover(Plan, State, _timeProvider).RemoveAsync(limit.Token);
        }
        finally
        {
            _lock.Dispose();
        }
    }
}
