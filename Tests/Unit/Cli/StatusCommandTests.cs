using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Cli;

/// <summary>When <c>owg status</c> ends with 0.</summary>
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
    public void IsWell_NodeComplains_IsFalse() => Assert.False(StatusCommand.IsWell(Snapshot("has no key yet", AgreementState.Agrees)));

    private static MeshSnapshot Snapshot(string? problem, params AgreementState[] states) => new(
        TestMesh.Start,
        [new MeshNode("node-1", null, problem)],
        [.. states.Select(state => new KeyAgreement("node-1", "node-2", Slot.Zero, state, null, null, null))]);
}
