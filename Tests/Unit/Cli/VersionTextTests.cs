using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Cli;

/// <summary>Which releases are in the mesh is said, and what they speak if it is more than one.</summary>
public sealed class VersionTextTests
{
    [Fact]
    public void Lines_OneVersion_IsOneLine() => Assert.Equal(
        ["All silos that answered are version 0.2.0."],
        VersionText.Lines(Snapshot(Node(1, "0.2.0", 3), Node(2, "0.2.0", 3), new MeshNode("node-3", null, []))));

    [Fact]
    public void Lines_NobodyAnswered_AreNone() => Assert.Empty(VersionText.Lines(Snapshot(new MeshNode("node-1", null, []))));

    // A silo of the release before says neither.
    [Fact]
    public void Lines_TwoVersions_NameTheNodesAndTheProtocol() => Assert.Equal(
        [
            "VERSIONS DIFFER, and speak protocol 2 with each other:",
            "  0.2.0 (protocol 2 to 3) on node-1, node-2, node-3 and 1 more",
            "  unknown, it does not say (protocol 2) on node-5",
        ],
        VersionText.Lines(Snapshot(
            Node(1, "0.2.0", 3), Node(2, "0.2.0", 2), Node(3, "0.2.0", 2), Node(4, "0.2.0", 2), Node(5, null, null))));

    private static MeshSnapshot Snapshot(params MeshNode[] nodes) => new(TestMesh.Start, [.. nodes], []);

    private static MeshNode Node(int number, string? version, int? effective)
    {
        var status = TestMesh.Status(number) with
        {
            Version = version,
            Protocol = version is null ? null : new ProtocolRange(2, 3),
            EffectiveProtocol = effective,
        };
        return new MeshNode(status.NodeName, status, []);
    }
}
