using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Tests.Unit.Findings;

public sealed class StrictGateTests
{
    public static TheoryData<FindingCode> Codes => [.. Enum.GetValues<FindingCode>()];

    // What fails closed must not be talked open: no finding, whatever it is, takes strict mode away once it was there.
    [Theory]
    [MemberData(nameof(Codes))]
    public void IsWithheld_OnceInForce_Never(FindingCode code) =>
        Assert.False(StrictGate.IsWithheld(wasInForce: true, [Make(code)], new HashSet<FindingCode>()));

    [Theory]
    [MemberData(nameof(Codes))]
    public void IsWithheld_NeverInForce_IfPodsWouldBeCut(FindingCode code)
    {
        Assert.Equal(FindingCatalogue.CutsPods(code), StrictGate.IsWithheld(wasInForce: false, [Make(code)], new HashSet<FindingCode>()));
        Assert.False(StrictGate.IsWithheld(wasInForce: false, [Make(code)], new HashSet<FindingCode> { code }));
    }

    [Fact]
    public void FindProblem_ErrorOrWhatWithholds_UnlessAccepted()
    {
        var warning = Make(FindingCode.NodeAddressInPodRange);
        var error = Make(FindingCode.RuleBeforeOurs);
        Assert.Null(StrictGate.FindProblem(isWithheld: false, [warning], new HashSet<FindingCode>()));
        Assert.Equal(warning, StrictGate.FindProblem(isWithheld: true, [warning], new HashSet<FindingCode>()));
        Assert.Equal(error, StrictGate.FindProblem(isWithheld: false, [error, warning], new HashSet<FindingCode>()));
        Assert.Null(StrictGate.FindProblem(isWithheld: false, [error], new HashSet<FindingCode> { error.Code }));

        // What nobody can see is not green, unless the operator says that it is well.
        var hidden = Make(FindingCode.SentPastNetfilter);
        Assert.Equal(hidden, StrictGate.FindProblem(isWithheld: false, [hidden], new HashSet<FindingCode>()));
        Assert.Null(StrictGate.FindProblem(isWithheld: false, [hidden], new HashSet<FindingCode> { hidden.Code }));
    }

    private static Finding Make(FindingCode code) => FindingCatalogue.Make(code, "subject", DateTimeOffset.UnixEpoch);
}
