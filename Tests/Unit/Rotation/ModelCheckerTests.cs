namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>All interleavings of small meshes keep the invariants, and breaking a rule is noticed.</summary>
public sealed class ModelCheckerTests(ITestOutputHelper output)
{
    // Keeps a run below a quarter of a GiB.
    private const int MaxStates = 1_500_000;

    [Theory]
    [InlineData(2, 3, 0, false, true, true)]
    [InlineData(2, 3, 1, false, true, true)]
    [InlineData(2, 2, 0, true, true, true)]
    [InlineData(2, 3, 0, true, true, true)]
    [InlineData(3, 3, 0, false, false, false)]
    [InlineData(3, 2, 0, false, false, true)]
    [InlineData(3, 2, 1, false, false, true)]
    public void Check_AllInterleavings_KeepTheInvariants(int nodes, byte epochs, int deaths, bool restarts, bool slowAcks, bool retires)
    {
        var lastEpoch = (byte)(RotationModel.FirstEpoch + epochs - 1);
        var options = new ModelOptions(lastEpoch) { Deaths = deaths, Restarts = restarts, SlowAcks = slowAcks, Retires = retires };
        var report = ModelChecker.Check(new RotationModel(options), RotationModel.Rest(nodes), lastEpoch, MaxStates);
        output.WriteLine($"{nodes} nodes, {epochs} epochs, deaths {deaths}, restarts {restarts}, acks apart {slowAcks}, keys destroyed {retires}: {report}");
        Assert.True(report.Violation is null, report.Violation);
        Assert.True(report.Terminals > 0);
    }

    [Theory]
    [InlineData(nameof(Break.RekeyWithoutAsking), "I2", 3, false)]
    [InlineData(nameof(Break.MoveOnceApplied), "I2", 2, false)]
    [InlineData(nameof(Break.RetireWithoutAsking), "I3", 2, false)]
    [InlineData(nameof(Break.SequenceRestarts), "I6", 2, true)]
    [InlineData(nameof(Break.BothStart), "one starter", 2, false)]
    public void Check_BrokenRule_IsFoundWithTheShortestWay(string broken, string expected, byte epochs, bool restarts)
    {
        var lastEpoch = (byte)(RotationModel.FirstEpoch + epochs - 1);
        var options = new ModelOptions(lastEpoch) { Restarts = restarts, Broken = Enum.Parse<Break>(broken) };
        var report = ModelChecker.Check(new RotationModel(options), RotationModel.Rest(2), lastEpoch, MaxStates);
        output.WriteLine($"{broken}: {report}{Environment.NewLine}{report.Violation}");
        Assert.StartsWith(expected, report.Violation, StringComparison.Ordinal);
    }
}
