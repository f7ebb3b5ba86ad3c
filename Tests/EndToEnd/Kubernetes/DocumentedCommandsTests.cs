using System.Net;
using System.Text.RegularExpressions;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The commands that the documentation tells an operator to type end as it says, with the kubectl of this machine.</summary>
[Trait("Kind", "Sockets")]
public sealed partial class DocumentedCommandsTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    // What needs a kubelet and the controllers, which no API server has.
    private static readonly string[] NeedKubelets = ["rollout", "logs", "exec", "describe"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Install_ThenUninstall_EveryCommandEndsWithZeroAndNothingIsLeft()
    {
        Assert.SkipWhen(cluster.IsReal, "would install into a shared cluster");
        await Kubectl.SkipUnlessItKnowsComponentsAsync();

        // A cluster that has never seen the product.
        await cluster.SendAsync(
            HttpMethod.Delete, "apis/apiextensions.k8s.io/v1/customresourcedefinitions/orleansclusters.orleans.wireguard");
        var install = Assert.Single(
            await CommandsAsync("README.md", "On Kubernetes"), command => command.Contains(" apply ", StringComparison.Ordinal));
        var first = await RunAsync(install);
        Assert.DoesNotContain("Warning", first, StringComparison.Ordinal);
        Assert.Contains(
            "validatingadmissionpolicy.admissionregistration.k8s.io/orleans-wireguard-own-node created", first, StringComparison.Ordinal);

        // Whoever applies again what is there shall see that nothing differs, or a real difference drowns.
        Assert.All((await RunAsync(install))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.EndsWith(" unchanged", line, StringComparison.Ordinal));

        var uninstall = await CommandsAsync("deploy/README.md", "Uninstall");
        Assert.True(uninstall.Count >= 3, "the commands were not found");
        foreach (var command in uninstall)
        {
            await RunAsync(command);
        }

        foreach (var gone in (string[])[
            "api/v1/namespaces/orleans-wireguard", "apis/rbac.authorization.k8s.io/v1/clusterroles/orleans-wireguard"])
        {
            Assert.Equal(HttpStatusCode.NotFound, (await cluster.SendAsync(HttpMethod.Get, gone)).Code);
        }
    }

    // The test server has no OpenAPI document to validate against.
    private async Task<string> RunAsync(string command)
    {
        string[] arguments = [.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1)];
        var (code, output) = await Kubectl.RunAsync(cluster, arguments.Contains("apply") ? [.. arguments, "--validate=false"] : arguments);
        TestContext.Current.TestOutputHelper!.WriteLine($"$ {command}\n{output}");
        Assert.True(code == 0, $"{command} ended with {code}: {output}");
        return output;
    }

    // The lines of the section's shell blocks that are kubectl's, without their comments.
    private static async Task<List<string>> CommandsAsync(string file, string section)
    {
        var text = await File.ReadAllTextAsync(RepositoryFiles.Find(file), Token);
        var begin = text.IndexOf($"\n## {section}\n", StringComparison.Ordinal);
        Assert.True(begin >= 0, $"{file} has no section '{section}'");
        var end = text.IndexOf("\n## ", begin + 1, StringComparison.Ordinal);
        return
        [
            .. ShellBlock().Matches(text[begin..end]).SelectMany(block => block.Groups[1].Value.Split('\n'))
                .Select(line => line.Split(" #")[0].Trim())
                .Where(line => line.StartsWith("kubectl ", StringComparison.Ordinal)
                    && !line.Contains("--kubeconfig", StringComparison.Ordinal))
                .Where(line => !line.Split(' ').Intersect(NeedKubelets).Any()),
        ];
    }

    [GeneratedRegex(@"```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex ShellBlock();
}
