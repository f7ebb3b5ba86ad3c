using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// How the API server is reached may be half-written when a silo starts: it is read again, and only one kind of exception tells it.
/// </summary>
[Trait("Kind", "Sockets")]
public sealed class ApiConfigurationTests(ApiCluster cluster) : IClassFixture<ApiCluster>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("owg-config-");

    /// <summary>The files that say it.</summary>
    public enum Written
    {
        /// <summary>A kubeconfig.</summary>
        KubeConfig,

        /// <summary>A token.</summary>
        Token,

        /// <summary>Authorities.</summary>
        Authority,
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <inheritdoc/>
    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>
    /// Every way in which a writer may have stopped: no file, an empty one, and one that ends after each of its lines and in the middle of
    /// it.
    /// </summary>
    [Theory]
    [InlineData(Written.KubeConfig)]
    [InlineData(Written.Token)]
    [InlineData(Written.Authority)]
    public async Task Send_FileIsHalfWritten_SaysSoAndReadsItAgain(Written which)
    {
        var whole = Whole(which);
        var refused = 0;
        foreach (var length in Cuts(whole))
        {
            var file = Path.Combine(_folder.FullName, Guid.NewGuid().ToString("N"));
            if (length is { } cut)
            {
                await File.WriteAllBytesAsync(file, whole[..cut], Token);
            }

            using var api = Create(which, file);
            refused += await TrySendAsync(api) ? 0 : 1;
            await File.WriteAllBytesAsync(file, whole, Token);
            Assert.True(await TrySendAsync(api), $"the whole file is not read after one of {length} bytes");
        }

        Assert.InRange(refused, 2, int.MaxValue);
    }

    [Theory]
    [InlineData("line\nbreak")]
    [InlineData("nul\0")]
    [InlineData("ümlaut")]
    [InlineData("\u0001")]
    [InlineData("two words")]
    public async Task Send_TokenIsNone_SaysSoAndReadsItAgain(string token)
    {
        var file = Path.Combine(_folder.FullName, "token");
        await File.WriteAllTextAsync(file, token, Token);
        using var api = Create(Written.Token, file);

        Assert.False(await TrySendAsync(api));
        await File.WriteAllBytesAsync(file, Whole(Written.Token), Token);

        Assert.True(await TrySendAsync(api));
    }

    [Fact]
    public async Task Nodes_KubeConfigIsHalfWritten_SayWhyAndComeWhenItIsWhole()
    {
        var file = Path.Combine(_folder.FullName, "config");
        var whole = Whole(Written.KubeConfig);
        await File.WriteAllBytesAsync(file, whole[..(whole.Length / 3)], Token);
        using var api = Create(Written.KubeConfig, file);
        var watcher = new NodeWatcher(api, Options.Create(new NodesOptions { Source = NodeSource.Node }), Options.Create(
            new NodeOptions { Name = "a" }), TimeProvider.System, ApiCluster.Logger<NodeWatcher>());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var running = watcher.RunAsync(stop.Token);
        await UntilAsync(() => watcher.Problem is not null);

        Assert.Contains("How the API server is reached cannot be read", watcher.Problem, StringComparison.Ordinal);
        await File.WriteAllBytesAsync(file, whole, Token);
        await UntilAsync(() => watcher.Current.IsSynced);

        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task Initialize_KubeConfigIsHalfWritten_WaitsWithReasonUntilItIsWhole()
    {
        var file = Path.Combine(_folder.FullName, "config");
        var whole = Whole(Written.KubeConfig);
        await File.WriteAllBytesAsync(file, whole[..(whole.Length / 3)], Token);
        var health = new ClusteringHealth(TimeProvider.System);
        var table = cluster.CreateTable(
            TableEntries.ClusterId(),
            options => (options.Address, options.TokenFile, options.KubeConfigPath, options.MaxRetries) = (null, null, file, 0),
            options => options.InitializationTimeout = TimeSpan.FromSeconds(30),
            health: health);

        var initialization = table.InitializeMembershipTableAsync(true, Token);
        await UntilAsync(() => health.Problem is not null);

        Assert.Contains("How the API server is reached cannot be read", health.Problem, StringComparison.Ordinal);
        Assert.False(initialization.IsCompleted);
        await File.WriteAllBytesAsync(file, whole, Token);
        await initialization.WaitAsync(Patience, TimeProvider.System, Token);
        Assert.Null(health.Problem);
    }

    /// <summary>Whichever way the address came, the token does not go there in clear.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Send_PlainAddress_IsRefusedBeforeAnythingIsSent(bool byKubeConfig)
    {
        const string Server = "http://192.0.2.1:8080";
        var file = Path.Combine(_folder.FullName, "config");
        var text = Encoding.UTF8.GetString(Whole(Written.KubeConfig))
            .Replace(cluster.Server.Address.ToString(), Server, StringComparison.Ordinal);
        Assert.Contains(Server, text, StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, text, Token);
        using var api = cluster.CreateApi(options =>
        {
            options.MaxRetries = 0;
            options.Address = byKubeConfig ? null : new Uri(Server);
            options.KubeConfigPath = byKubeConfig ? file : null;
        });

        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => SendAsync(api));

        Assert.Equal(ApiFailure.Misconfigured, error.Failure);
        Assert.Contains($"\"{Server}", error.Message, StringComparison.Ordinal);
        Assert.Contains("in clear", error.Message, StringComparison.Ordinal);
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        var began = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Patience, "it did not come");
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Token);
        }
    }

    private static IEnumerable<int?> Cuts(byte[] whole)
    {
        yield return null;
        yield return 0;
        var begin = 0;
        for (var index = 0; index < whole.Length; index++)
        {
            if (whole[index] == '\n')
            {
                yield return begin + ((index - begin) / 2);
                yield return index + 1;
                begin = index + 1;
            }
        }
    }

    private static Task<ResourceList<NodeObject>> SendAsync(KubernetesApi api) =>
        api.SendAsync(new ApiCall("list", ApiResource.Nodes, null, null), NodesJson.Default.ResourceListNodeObject, Token);

    // Anything but the one kind of exception fails the test.
    private static async Task<bool> TrySendAsync(KubernetesApi api)
    {
        try
        {
            await SendAsync(api);
            return true;
        }
        catch (KubernetesApiException failure)
        {
            TestContext.Current.TestOutputHelper!.WriteLine($"{failure.Failure} {failure.Message}");
            return false;
        }
    }

    private byte[] Whole(Written which)
    {
        var config = Path.Combine(_folder.FullName, "whole");
        KubeConfigFile.Write(config, cluster.Server);
        return which switch
        {
            Written.KubeConfig => File.ReadAllBytes(config),
            Written.Token => Encoding.UTF8.GetBytes(cluster.Server.AdminToken + "\n"),
            _ => Encoding.UTF8.GetBytes(cluster.Server.AuthorityPem),
        };
    }

    private KubernetesApi Create(Written which, string file) => cluster.CreateApi(options =>
    {
        options.MaxRetries = 0;
        switch (which)
        {
            case Written.KubeConfig:
                (options.Address, options.TokenFile, options.CertificateAuthorityFile, options.KubeConfigPath) = (null, null, null, file);
                break;
            case Written.Token:
                options.TokenFile = file;
                break;
            default:
                options.CertificateAuthorityFile = file;
                break;
        }
    });
}
