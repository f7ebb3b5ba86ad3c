namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>
/// The table of environments: each kind of cluster with the silos of its overlay, and with each of its fixes switched off.
/// </summary>
[Trait("Kind", "Cni")]
[Collection(LocalMeshCollection.Name)]
public sealed class CniTests(ITestOutputHelper output)
{
    private static readonly CniEffort Long = new(Connections: 1000, Rounds: 4, TimeSpan.FromSeconds(8));
    private static readonly CniEffort Brief = new(Connections: 40, Rounds: 1, TimeSpan.FromSeconds(4));

    public static TheoryData<string> Kinds => [.. CniKinds.Chosen.Select(kind => kind.Name)];

    public static TheoryData<string, string> Fixes =>
        new(CniKinds.Chosen.SelectMany(kind => kind.Fixes.Select(fix => (kind.Name, fix.Name))));

    // What the others are worth: without silos every kind carries all of its traffic, and the capture shows it in its form.
    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Kind_WithoutSilos_CarriesItsPodsInClear(string kind)
    {
        CniChecks.SkipUnlessPossible();
        var row = CniKinds.Get(kind);
        var report = await new CniRun(row, "no silos", Brief, output.WriteLine).RunPlainAsync(TestContext.Current.CancellationToken);
        Assert.Empty(report.Faults);
        Assert.Equal(0, report.Wire.EncryptedBytes);
        Assert.True(report.Wire.Clear > 0, "The capture does not show what is in clear.");
        Assert.True((row.IsEncapsulated ? report.Wire.Bare : report.Wire.Encapsulated) == 0, $"{report}");
        Assert.True((row.IsEncapsulated ? report.Wire.Encapsulated : report.Wire.Bare) > 0, $"{report}");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public Task Kind_WithItsSettings_IsEncryptedAndNothingIsLost(string kind) =>
        CniChecks.AssertWorksAsync(CniKinds.Get(kind), Long, output.WriteLine);

    [Theory]
    [MemberData(nameof(Fixes))]
    public async Task Kind_WithoutAFix_ShowsWhatItIsFor(string kind, string fix)
    {
        CniChecks.SkipUnlessPossible();
        var row = CniKinds.Get(kind);
        var off = row.Fixes.Single(found => found.Name == fix);
        var missing = CniSettings.Unknown(off.Needs).ToList();
        Assert.SkipWhen(missing.Count > 0, $"this version has no {string.Join(", ", missing)}, without which more fails than this");

        // What a version does not know is off in it.
        var settings = row.Settings.Where(setting => !off.Off.ContainsKey(setting.Key)).Concat(off.Off).ToDictionary();
        var known = settings.Where(setting => !CniSettings.Unknown([setting.Key]).Any()).ToDictionary();
        var run = new CniRun(row, "no " + fix, Brief, output.WriteLine);
        var report = await run.RunAsync(known, off, TestContext.Current.CancellationToken);
        Assert.Superset(off.Faults.ToHashSet(), report.Faults.ToHashSet());
    }
}
