using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>A mesh that the tests of a class share and in which nothing rotates, so that whatever changes has another cause.</summary>
public abstract class QuietMeshFixture : IAsyncLifetime
{
    // For all tests of a class, one after the other, on a machine that is busy.
    private static readonly TimeSpan Needed = TimeSpan.FromMinutes(30);

    private const int LogLines = 30;

    private readonly MeshPlan _plan;
    private MeshHarness? _mesh;

    private protected QuietMeshFixture(MeshPlan plan) => _plan = plan;

    /// <summary>The mesh; each test leaves it ready.</summary>
    internal MeshHarness Mesh =>
        _mesh ?? throw new InvalidOperationException("The machine cannot carry a mesh; the test should have been skipped.");

    /// <summary>Starts silos and waits for them.</summary>
    internal MeshStarter Starter => new(Mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage);

    /// <summary>What every node has and what it says, for a test that failed.</summary>
    internal async Task<string> DescribeAsync(CancellationToken cancellationToken)
    {
        const string Show = "date +%T.%N; wg show all | grep -v private; ip route show table 201; owg status 2>&1";
        var nodes = await Task.WhenAll(Mesh.Plan.Nodes.Select(async node =>
            $"== {node.Name}\n{(await Mesh.RunAsync(node, cancellationToken, "sh", "-c", Show)).Output}\n{LogTail.Read(Mesh.State.SiloLog(node), LogLines)}"));
        return string.Join('\n', nodes);
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (LocalMeshCollection.ReasonToSkip is not null)
        {
            return;
        }

        var token = TestContext.Current.CancellationToken;
        _mesh = await MeshHarness.CreateAsync(
            _plan, MeshState.For(_plan), TimeProvider.System, TestContext.Current.SendDiagnosticMessage, token);
        await Starter.StartAsync(LocalMeshCollection.Binary, QuietPeriod.Choose(TimeProvider.System.GetUtcNow(), Needed), token);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_mesh is not null)
        {
            await _mesh.DisposeAsync();
        }
    }
}
