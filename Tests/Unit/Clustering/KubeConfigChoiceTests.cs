using Orleans.WireGuard.Api;
using k8s;

namespace Orleans.WireGuard.Tests.Unit.Clustering;

/// <summary>Several files that are merged are in <see cref="EndToEnd.PackageTests"/>: the variable is the process's.</summary>
public sealed class KubeConfigChoiceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("owg-kubeconfig-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // What is configured, the variable, the home directory; none where something else says how the server is reached.
    [Fact]
    public void Find_ChoosesAsKubectlDoes()
    {
        KubernetesApiOptions bare = new() { Pod = null };
        Assert.Equal(["a"], KubeConfigChoice.Find(bare, "a"));
        Assert.Equal(["a", "b"], KubeConfigChoice.Find(bare, "a:b:"));
        Assert.Equal([KubernetesClientConfiguration.KubeConfigDefaultLocation], KubeConfigChoice.Find(bare, null));
        Assert.Equal([KubernetesClientConfiguration.KubeConfigDefaultLocation], KubeConfigChoice.Find(bare, ":"));
        Assert.Equal(["b"], KubeConfigChoice.Find(new() { Pod = null, KubeConfigPath = "b" }, "a"));
        Assert.Empty(KubeConfigChoice.Find(new() { Pod = null, Address = new Uri("https://10.0.0.1") }, "a"));
        Assert.Empty(KubeConfigChoice.Find(new() { Pod = new("10.0.0.1", "443") }, "a"));
    }

    // A file in the home directory makes nobody a node, and a variable that names nothing is none.
    [Theory]
    [InlineData(null, 0)]
    [InlineData("", 0)]
    [InlineData(" : ", 0)]
    [InlineData("a", 1)]
    [InlineData("a:b", 2)]
    public void Named_Variable_IsWhatItNames(string? variable, int expected) => Assert.Equal(expected, KubeConfigChoice.Named(variable).Count);

    [Fact]
    public void Load_OneOfSeveralExists_IsRead()
    {
        var file = Path.Combine(_folder, "config");
        File.WriteAllText(
            file,
            """
            apiVersion: v1
            kind: Config
            current-context: test
            contexts: [{ name: test, context: { cluster: test, user: test } }]
            clusters: [{ name: test, cluster: { server: "https://10.0.0.1" } }]
            users: [{ name: test, user: { token: abc } }]
            """);
        Assert.Equal("https://10.0.0.1", KubeConfigChoice.Load([Path.Combine(_folder, "missing"), file]).Host);
    }

    [Fact]
    public void Load_NoneExists_NamesTheFirst()
    {
        var missing = Path.Combine(_folder, "missing");
        Assert.Contains(missing, Assert.ThrowsAny<Exception>(() => KubeConfigChoice.Load([missing, "other"])).Message, StringComparison.Ordinal);
    }
}
