namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>All interleavings of small meshes keep the invariants, and breaking a rule is noticed.</summary>
public sealed class ModelCheckerTests(ITestOutputHelper output)
{
    // Keeps a run below half a GiB.
    private const int MaxStates = 3_000_000;

    [Theory]
    [InlineData(2, 6, 1, false, true, true)]
    [InlineData(2, 4, 1, true, true, true)]
    [InlineData(3, 3, 0, false, false, true)]
    [InlineData(3, 3, 0, false, true, true)]
    [InlineData(3, 3, 1, false, false, true)]
    [InlineData(3, 2, 0, true, false, true)]
    public void Check_AllInterleavings_KeepTheInvariants(int nodes, byte epochs, int deaths, bool restarts, bool slowAcks, bool retires) =>
        Check(nodes, Options(epochs) with { Reduced = true, Deaths = deaths, Restarts = restarts, SlowAcks = slowAcks, Retires = retires });

    // Minutes, so not among the fast ones.
    [Theory]
    [Trait("Kind", "Model")]
    [InlineData(2, 9, 1, false, true, true, Traits = ["Length", "Long"])]
    [InlineData(2, 5, 1, true, true, true)]
    [InlineData(3, 2, 1, true, false, true)]
    [InlineData(3, 4, 0, false, false, true, Traits = ["Length", "Long"])]
    [InlineData(4, 2, 0, false, false, true)]
    public void Check_AllInterleavingsOfLargerMeshes_KeepTheInvariants(
        int nodes, byte epochs, int deaths, bool restarts, bool slowAcks, bool retires) =>
        Check(nodes, Options(epochs) with { Reduced = true, Deaths = deaths, Restarts = restarts, SlowAcks = slowAcks, Retires = retires });

    // What this cannot show of larger meshes, the comments of ModelReduction argue.
    [Theory]
    [InlineData(2, 2, 1, true, true, true)]
    [InlineData(2, 3, 1, false, true, true)]
    [InlineData(3, 2, 1, false, false, true)]
    [InlineData(3, 3, 0, false, false, false)]
    public void Canonical_EveryStateOfTheFullModel_IsReachedByTheReducedOne(
        int nodes, byte epochs, int deaths, bool restarts, bool slowAcks, bool retires) =>
        Compare(nodes, Options(epochs) with { Deaths = deaths, Restarts = restarts, SlowAcks = slowAcks, Retires = retires });

    [Theory]
    [Trait("Kind", "Model")]
    [InlineData(2, 3, 0, true, true, true)]
    [InlineData(2, 5, 0, false, true, true)]
    public void Canonical_EveryStateOfALargerFullModel_IsReachedByTheReducedOne(
        int nodes, byte epochs, int deaths, bool restarts, bool slowAcks, bool retires) =>
        Compare(nodes, Options(epochs) with { Deaths = deaths, Restarts = restarts, SlowAcks = slowAcks, Retires = retires });

    [Theory]
    [InlineData(nameof(Break.RekeyWithoutAsking), "I2", 2, 3, false)]
    [InlineData(nameof(Break.RekeyWithoutAsking), "I2", 3, 3, false)]
    [InlineData(nameof(Break.RekeyUnheard), "I3", 2, 4, false)]
    [InlineData(nameof(Break.IgnoreOwnOtherKey), "I3", 2, 5, false)]
    [InlineData(nameof(Break.MoveOnceApplied), "I2", 2, 2, false)]
    [InlineData(nameof(Break.RetireWithoutAsking), "I3", 2, 2, false)]
    [InlineData(nameof(Break.RetireWithoutAsking), "I3", 3, 3, false)]
    [InlineData(nameof(Break.AskOneOnly), "I3", 3, 2, false)]
    [InlineData(nameof(Break.SequenceRestarts), "I6", 2, 2, true)]
    [InlineData(nameof(Break.BothStart), "one starter", 2, 2, false)]
    public void Check_BrokenRule_IsFoundWithTheShortestWay(string broken, string expected, int nodes, byte epochs, bool restarts)
    {
        // Three epochs of three nodes are too many for the full model.
        foreach (var reduced in (bool[])(nodes == 3 && epochs == 3 ? [true] : [false, true]))
        {
            var options = Options(epochs) with { Reduced = reduced, Restarts = restarts, Broken = Enum.Parse<Break>(broken) };
            var report = new ModelChecker(options, nodes).Check(MaxStates);
            output.WriteLine($"{broken}, {(reduced ? "reduced" : "full")}: {report}{Environment.NewLine}{report.Violation}");
            Assert.StartsWith(expected, report.Violation, StringComparison.Ordinal);
        }
    }

    private static ModelOptions Options(byte epochs) => new((byte)(RotationModel.FirstEpoch + epochs - 1));

    private void Check(int nodes, ModelOptions options)
    {
        var report = new ModelChecker(options, nodes).Check(MaxStates);
        output.WriteLine($"{Describe(nodes, options)}: {report}");
        Assert.True(report.Violation is null, report.Violation);
        Assert.NotEmpty(report.Terminals);
    }

    private void Compare(int nodes, ModelOptions options)
    {
        var reduction = new ModelReduction(options, nodes);
        var reduced = new ModelChecker(options with { Reduced = true }, nodes).Check(MaxStates);
        var (states, terminals) = (0, 0);
        var full = new ModelChecker(options, nodes).Check(MaxStates, (state, isTerminal) =>
        {
            var hash = reduction.Canonical(state).Hash();
            states += reduced.States.Contains(hash) ? 0 : 1;
            terminals += isTerminal && !reduced.Terminals.Contains(hash) ? 1 : 0;
        });
        output.WriteLine($"{Describe(nodes, options)}:{Environment.NewLine}  full:    {full}{Environment.NewLine}  reduced: {reduced}");
        Assert.Equal((0, 0), (states, terminals));
        Assert.Null(full.Violation);
        Assert.Null(reduced.Violation);
    }

    private static string Describe(int nodes, ModelOptions options) =>
        $"{nodes} nodes, {options.LastEpoch - RotationModel.FirstEpoch + 1} epochs, deaths {options.Deaths}, restarts {options.Restarts}, "
        + $"acks apart {options.SlowAcks}, keys destroyed {options.Retires}";
}
