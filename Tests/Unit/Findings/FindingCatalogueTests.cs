using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Findings;

public sealed class FindingCatalogueTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;

    public static TheoryData<FindingCode> Codes => [.. Enum.GetValues<FindingCode>()];

    [Fact]
    public void Codes_AreAllCodes() => Assert.Equal(Enum.GetValues<FindingCode>().Order(), FindingCatalogue.Codes.Order());

    // Whatever is found, a person reads a sentence and what to do, and can name it in the configuration.
    [Theory]
    [MemberData(nameof(Codes))]
    public void Text_EveryCode_SaysWhatAndWhatToDo(FindingCode code)
    {
        var finding = FindingCatalogue.Make(code, "subject", Now);
        Assert.EndsWith(".", FindingText.Describe(finding), StringComparison.Ordinal);
        Assert.EndsWith(".", FindingText.Remedy(finding), StringComparison.Ordinal);
        Assert.Equal(code, FindingText.TryParseCode(code.ToString()));
        Assert.Equal(code, FindingText.TryParseCode(FindingText.CodeOf(code)));
        Assert.Equal(code, FindingText.TryParseCode(((int)code).ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }

    // What people read about a code is what the silo says.
    [Fact]
    public void Readme_HasEveryCode()
    {
        const string Begin = "<!-- codes -->\n";
        const string End = "<!-- end of codes -->";
        var rows = FindingCatalogue.Codes.Order().Select(code =>
        {
            var finding = FindingCatalogue.Make(code, "…", Now);
            var (what, remedy) = (FindingText.Describe(finding)
                .Replace("?", "…", StringComparison.Ordinal), FindingText.Remedy(finding).Replace("?", "…", StringComparison.Ordinal));
            return $"| {FindingText.CodeOf(code)} `{code}` | {finding.Severity}{(FindingCatalogue.CutsPods(code) ? ", withholds strict" : FindingCatalogue.HidesPods(code) ? ", strict is not ready" : "")} | {what} | {remedy} |\n";
        });
        TestData.AssertSection("Silo/Findings/README.md", Begin, End, "\n| Code | How bad | What is wrong | What to do |\n|---|---|---|---|\n" + string.Concat(rows) + "\n");
    }

    [Theory]
    [InlineData("")]
    [InlineData("OWG")]
    [InlineData("OWG999")]
    [InlineData("999")]
    [InlineData("NoSuchFinding")]
    public void TryParseCode_Unknown_IsNull(string text) => Assert.Null(FindingText.TryParseCode(text));

    [Fact]
    public void Settle_WhatIsExplained_IsNotShown()
    {
        var cause = FindingCatalogue.Make(FindingCode.EncapsulatedByOthers, "cilium_vxlan", Now);
        var effect = FindingCatalogue.Make(FindingCode.PacketsInClear, "left", Now, [("left", "3"), ("arrived", "0")]);
        var settled = Assert.Single(FindingCatalogue.Settle([effect, cause], []));
        Assert.Equal((cause.Code, FindingSeverity.Error, effect.Evidence), (settled.Code, settled.Severity, settled.Evidence));
        Assert.Equal([cause], FindingCatalogue.Settle([cause], []));
        Assert.Equal([effect], FindingCatalogue.Settle([effect], []));
    }

    [Fact]
    public void Settle_StaysTheSame_KeepsSince()
    {
        var first = FindingCatalogue.Make(FindingCode.RuleBeforeOurs, "IPv4 rule 105", Now);
        var again = FindingCatalogue.Make(FindingCode.RuleBeforeOurs, "IPv4 rule 105", Now.AddMinutes(5), [("rule", "105: from all")]);
        var other = FindingCatalogue.Make(FindingCode.RuleBeforeOurs, "IPv4 rule 106", Now.AddMinutes(5));
        Assert.Equal([again with { Since = Now }, other], FindingCatalogue.Settle([other, again], [first]));
    }

    [Fact]
    public void Settle_WorstFirst()
    {
        var findings = FindingCatalogue.Codes.Where(code => code is not FindingCode.PacketsInClear)
            .Select(code => FindingCatalogue.Make(code, "", Now));
        var settled = FindingCatalogue.Settle(findings, []);
        Assert.Equal(settled.Select(finding => finding.Severity).OrderDescending(), settled.Select(finding => finding.Severity));
    }
}
