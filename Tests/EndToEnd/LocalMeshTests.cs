using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The proofs of <c>make demo-check</c> on the test prefix, run once for all tests of <see cref="LocalMeshTests"/>.</summary>
public sealed class LocalMeshFixture : IAsyncLifetime
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    // Eleven periods and a bit: ten rotations of every node, whatever its jitter.
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(57);

    private readonly List<Proof> _proofs = [];

    /// <summary>All proofs, in the order in which they were decided.</summary>
    internal IReadOnlyList<Proof> Proofs => _proofs;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (LocalMeshCollection.ReasonToSkip is not null)
        {
            return;
        }

        var plan = MeshPlan.Test(3);
        var options = new CheckOptions(
            plan, MeshState.For(plan), LocalMeshCollection.Binary, Period, Duration, AppContext.BaseDirectory, Path.Combine(
                AppContext.BaseDirectory, "local-mesh-evidence"));
        var check = new MeshCheck(options, TimeProvider.System, TestContext.Current.SendDiagnosticMessage, _proofs.Add);
        await check.RunAsync(TestContext.Current.CancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Three silos as separate processes, each in a namespace of its own, with real packets.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class LocalMeshTests(LocalMeshFixture fixture) : IClassFixture<LocalMeshFixture>
{
    [Theory]
    [InlineData("control run")]
    [InlineData("every pod reaches")]
    [InlineData("the underlay carries nothing but")]
    [InlineData("for every ordered pair the key")]
    [InlineData("every node rotates")]
    [InlineData("private keys appear in no")]
    [InlineData("owg status answers")]
    [InlineData("rejoins after SIGKILL")]
    [InlineData("the other pairs lose nothing")]
    [InlineData("keeps its key over SIGKILL")]
    [InlineData("nothing is left")]
    public void Mesh_Proof_Passes(string claim)
    {
        LocalMeshCollection.SkipUnlessPossible();

        var proofs = fixture.Proofs.Where(p => p.Claim.Contains(claim, StringComparison.Ordinal)).ToList();

        Assert.True(proofs.Count > 0, "It was not decided; what was:\n" + string.Join('\n', fixture.Proofs));
        Assert.All(proofs, proof => Assert.True(proof.Passed, proof.ToString()));
    }

    [Fact]
    public void Mesh_AllProofs_Pass()
    {
        LocalMeshCollection.SkipUnlessPossible();

        Assert.All(fixture.Proofs, proof => Assert.True(proof.Passed, proof.ToString()));
    }
}
