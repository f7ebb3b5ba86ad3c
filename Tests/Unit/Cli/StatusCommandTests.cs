using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Cli;

/// <summary>When <c>owg status</c> ends with 0, and that the documentation shows what it prints.</summary>
public sealed class StatusCommandTests
{
    [Fact]
    public void IsWell_EverybodyAgrees_IsTrue() => Assert.True(StatusCommand.IsWell(Snapshot(null, AgreementState.Agrees)));

    [Theory]
    [InlineData(AgreementState.Unknown)]
    [InlineData(AgreementState.Differs)]
    [InlineData(AgreementState.Missing)]
    public void IsWell_OnePairDoesNot_IsFalse(AgreementState state) =>
        Assert.False(StatusCommand.IsWell(Snapshot(null, AgreementState.Agrees, state)));

    [Fact]
    public void IsWell_NodeComplains_IsFalse() =>
        Assert.False(StatusCommand.IsWell(Snapshot(NodeProblem.Of(NodeProblemCode.HasNoKey), AgreementState.Agrees)));

    // It was copied from a terminal; whoever changes a column copies it again.
    [Fact]
    public void Readme_Example_HasTheColumnsOfTheTable()
    {
        var lines = File.ReadLines(RepositoryFiles.Find("README.md"))
            .SkipWhile(line => !line.StartsWith("  NODE ", StringComparison.Ordinal))
            .TakeWhile(line => line != "```").Where(line => line[0] == ' ').Select(Cells).ToList();
        Assert.Equal(RotationText.Columns, lines[0]);
        Assert.Equal(4, lines.Count);
        Assert.All(lines, cells => Assert.Equal(RotationText.Columns.Length, cells.Length));
    }

    private static string[] Cells(string line) => line.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static MeshSnapshot Snapshot(NodeProblem? problem, params AgreementState[] states) => new(
        TestMesh.Start,
        [new MeshNode("node-1", null, problem is null ? [] : [problem])],
        [.. states.Select(state => new KeyAgreement("node-1", "node-2", Slot.Zero, state, null, null, null))]);
}
