using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>The machine's kubectl, whatever its version.</summary>
internal static class Kubectl
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Skips the test where there is none.</summary>
    public static void SkipUnlessInstalled() =>
        Assert.SkipWhen(Command.Find("kubectl") is null, "kubectl is not installed: 1.21 or newer, which Debian 12 does not have");

    /// <summary>Skips the test where kubectl does not know what the overlays are written in.</summary>
    public static async Task SkipUnlessItKnowsComponentsAsync()
    {
        SkipUnlessInstalled();
        var (_, version) = await RunAsync(null, ["version", "--client", "--output=json"]);
        Assert.SkipWhen(version.Contains("v1.20.", StringComparison.Ordinal), "kubectl 1.20 has kustomize 2.0, which knows neither components nor resources that are folders");
    }

    /// <summary>Runs it in the repository.</summary>
    /// <param name="cluster">The cluster that it speaks to, as its administrator; null for none.</param>
    /// <param name="arguments">What follows its name.</param>
    /// <returns>Its exit code, and both outputs.</returns>
    public static async Task<(int Code, string Output)> RunAsync(ApiCluster? cluster, IEnumerable<string> arguments)
    {
        string[] server = cluster is null ? [] :
        [
            "--server", cluster.Server.Address.ToString(), "--certificate-authority",
            cluster.AuthorityFile, "--token", cluster.Server.AdminToken,
            "--cache-dir", Path.Combine(Path.GetTempPath(), cluster.Namespace), "--kubeconfig", "/dev/null",
        ];
        var result = await Command.RunAsync("kubectl", [.. server, .. arguments], Token, workingDirectory: TestData.Root);
        return (result.ExitCode, result.Output + result.Error);
    }
}
