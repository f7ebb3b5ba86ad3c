using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Runs the test API server on its own, for demonstrations and for kubectl: start it explicitly, end it by deleting the kubeconfig.</summary>
public sealed class StandaloneApiServer
{
    /// <summary>Writes a kubeconfig to the path in <c>OWG_KUBECONFIG</c> and serves until that file is gone.</summary>
    [Fact(Explicit = true)]
    public async Task Serve_UntilItsKubeConfigIsDeleted()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var path = Environment.GetEnvironmentVariable("OWG_KUBECONFIG");
        Assert.SkipWhen(string.IsNullOrEmpty(path), "OWG_KUBECONFIG does not say where to write the kubeconfig");
        await using var server = await TestApiServer.StartAsync(TimeProvider.System, cancellationToken);
        var authority = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(server.AuthorityPem));
        await File.WriteAllTextAsync(
            path,
            $"""
            apiVersion: v1
            kind: Config
            current-context: test
            contexts:
            - name: test
              context:
                cluster: test
                user: test
            clusters:
            - name: test
              cluster:
                server: {server.Address}
                certificate-authority-data: {authority}
            users:
            - name: test
              user:
                token: {server.AdminToken}
            """,
            cancellationToken);
        while (File.Exists(path))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, cancellationToken);
        }
    }
}
