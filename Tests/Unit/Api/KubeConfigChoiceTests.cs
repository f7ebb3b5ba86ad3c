using k8s;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Tests.Unit.Api;

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
    public void Named_Variable_IsWhatItNames(string? variable, int expected) =>
        Assert.Equal(expected, KubeConfigChoice.Named(variable).Count);

    [Fact]
    public void Load_Several_AreMergedAndTheFirstCounts()
    {
        var missing = Path.Combine(_folder, "missing");
        var (empty, first, second) =
            (Write("empty", ""), Write("first", Config("one", "10.0.0.1")), Write("second", Config("two", "10.0.0.2")));
        Assert.Equal("https://10.0.0.1", KubeConfigChoice.Load([missing, empty, first]).Host);
        Assert.Equal("https://10.0.0.1", KubeConfigChoice.Load([first, second]).Host);
        Assert.Equal("https://10.0.0.2", KubeConfigChoice.Load([second, first]).Host);

        // Which context is current may stand in another file than the context.
        Assert.Equal("https://10.0.0.2", KubeConfigChoice.Load([Write("current", "current-context: two"), first, second]).Host);
    }

    [Fact]
    public void Load_NoneExists_NamesTheFirst()
    {
        var missing = Path.Combine(_folder, "missing");
        Assert.Contains(
            missing, Assert.ThrowsAny<Exception>(() => KubeConfigChoice.Load([missing, "other"])).Message, StringComparison.Ordinal);
    }

    private static string Config(string name, string server) =>
        $$"""
        current-context: {{name}}
        contexts: [{ name: {{name}}, context: { cluster: {{name}}, user: {{name}} } }]
        clusters: [{ name: {{name}}, cluster: { server: "https://{{server}}" } }]
        users: [{ name: {{name}}, user: { token: abc } }]
        """;

    private string Write(string name, string content)
    {
        var file = Path.Combine(_folder, name);
        File.WriteAllText(file, $"apiVersion: v1\nkind: Config\n{content}\n");
        return file;
    }
}
