namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>The short form of <see cref="CniTests"/>: few connections on the kinds that show most.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class CniShortTests(ITestOutputHelper output)
{
    private static readonly CniEffort Short = new(Connections: 40, Rounds: 2, TimeSpan.FromSeconds(8));

    [Theory]
    [InlineData("ptp")]
    [InlineData("flannel-vxlan")]
    [InlineData("azure-pod-subnet")]
    [InlineData("cilium-bpf-tunnel")]
    public Task Kind_WithItsSettings_IsEncryptedAndNothingIsLost(string kind) =>
        CniChecks.AssertWorksAsync(CniKinds.Get(kind), Short, output.WriteLine);
}
