using k8s;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Tests.Unit.Clustering;

public sealed class KubeConfigChoiceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("owg-kubeconfig-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // What is configured, the variable, the home directory; none where something else says how the server is reached.
    [Fact]
    public void Find_ChoosesAsKubectlDoes()
    {
        var (first, second, missing) = (Path.Combine(_folder, "first"), Path.Combine(_folder, "second"), Path.Combine(_folder, "missing"));
        File.WriteAllText(first, "");
        File.WriteAllText(second, "");
        KubernetesApiOptions bare = new() { Pod = null };
        Assert.Equal(first, KubeConfigChoice.Find(bare, first));
        Assert.Equal(second, KubeConfigChoice.Find(bare, $"{missing}:{second}:{first}"));
        Assert.Equal(missing, KubeConfigChoice.Find(bare, missing));
        Assert.Equal(KubernetesClientConfiguration.KubeConfigDefaultLocation, KubeConfigChoice.Find(bare, null));
        Assert.Equal(KubernetesClientConfiguration.KubeConfigDefaultLocation, KubeConfigChoice.Find(bare, ":"));
        Assert.Equal(second, KubeConfigChoice.Find(new() { Pod = null, KubeConfigPath = second }, first));
        Assert.Null(KubeConfigChoice.Find(new() { Pod = null, Address = new Uri("https://10.0.0.1") }, first));
        Assert.Null(KubeConfigChoice.Find(new() { Pod = new("10.0.0.1", "443") }, first));
    }
}
