namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>What the long and the short form of the zoo have in common.</summary>
internal static class CniChecks
{
    /// <summary>Skips the calling test where a cluster cannot be.</summary>
    public static void SkipUnlessPossible()
    {
        KubernetesMesh.SkipUnlessPossible();
        Assert.SkipUnless(
            CniMachine.HasPlugin("ptp") && CniMachine.HasPlugin("bridge"), "Missing Debian packages: containernetworking-plugins.");
    }

    /// <summary>A cluster with its settings: everything in the tunnel, everything arrives, and nobody complains.</summary>
    public static async Task AssertWorksAsync(CniKind kind, CniEffort effort, Action<string> report)
    {
        SkipUnlessPossible();
        var unknown = CniSettings.Unknown([.. kind.Settings.Keys, .. kind.Needs]).ToList();
        Assert.SkipWhen(unknown.Count > 0, $"this version has no {string.Join(", ", unknown)}");
        var run = new CniRun(kind, "as deployed", effort, report);
        var result = await run.RunAsync(kind.Settings, fix: null, TestContext.Current.CancellationToken);
        Assert.Empty(result.Faults);
        Assert.Equal(kind.Findings, result.Findings);
    }
}
