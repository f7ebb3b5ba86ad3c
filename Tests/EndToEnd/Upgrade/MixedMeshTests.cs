using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Upgrade;

/// <summary>The short form of <see cref="UpgradeTests"/>: one node of the next release, and back.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class MixedMeshTests(ITestOutputHelper output)
{
    private const int Rate = 2_000;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    [Fact]
    public async Task Next_OnOneNodeUpAndBack_LosesNothingAndAllRotate()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await UpgradeMesh.StartAsync(
            new MeshPlan("owgu", 3, 121, 239), Period, Rate, output, [SiloVariant.Next]);
        var node = mesh.Harness.Plan.Nodes[1];
        UpgradeStep[] steps =
        [
            await mesh.MeasureAsync($"{node.Name} up", 2, () => mesh.RollAsync(node, SiloVariant.Next)),
            await mesh.MeasureAsync($"{node.Name} back", 1, () => mesh.RollAsync(node, SiloVariant.Present)),
        ];
        Assert.All(steps, step => step.AssertNothingLost(rotations: 1));
        mesh.AssertNothingStrange();
    }
}
