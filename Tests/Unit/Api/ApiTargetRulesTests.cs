using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Tests.Unit.Api;

/// <summary>To whom the token may go: over TLS, or on loopback, and in a pod to its own API server only.</summary>
public sealed class ApiTargetRulesTests
{
    private static readonly PodIdentity Pod = new("10.0.0.1", "443");

    [Theory]
    [InlineData("https://10.0.0.1:443", true)]
    [InlineData("https://api.example.com/", true)]
    [InlineData("HTTPS://[2001:db8::1]:6443", true)]
    [InlineData("http://127.0.0.1:8001", true)]
    [InlineData("http://127.255.0.1:8001", true)]
    [InlineData("http://localhost:8001", true)]
    [InlineData("http://LOCALHOST", true)]
    [InlineData("http://[::1]:8001", true)]
    [InlineData("http://10.0.0.1:8080", false)]
    [InlineData("http://api.example.com", false)]
    [InlineData("http://localhost.example.com", false)]
    [InlineData("http://127.0.0.1.example.com", false)]
    [InlineData("http://127.0.0.1@example.com", false)]
    [InlineData("http://[2001:db8::1]:8080", false)]
    [InlineData("http://0.0.0.0:8080", false)]
    [InlineData("ftp://10.0.0.1", false)]
    [InlineData("unix:///run/api.sock", false)]
    [InlineData("10.0.0.1:6443", false)]
    [InlineData("localhost:8080", false)]
    [InlineData("", false)]
    public void FindFault_Address_IsTlsOrLoopback(string server, bool isFine)
    {
        Assert.Equal(isFine, ApiTargetRules.FindFault(server).Count == 0);
        if (Uri.TryCreate(server, UriKind.Absolute, out var address))
        {
            var result = Validate(options => options.Address = address);
            Assert.Equal(isFine, result.Succeeded);
            Assert.True(isFine || result.FailureMessage!.Contains(
                "expected https://HOST:PORT, or http on loopback", StringComparison.Ordinal), result.FailureMessage);
        }
    }

    /// <summary>Settings in a pod: what is its own says nothing new, and all else is refused by its name.</summary>
    [Theory]
    [InlineData("Address", "https://10.0.0.1:443", true)]
    [InlineData("Address", "https://10.0.0.1", true)]
    [InlineData("Address", "https://10.0.0.1:443/", true)]
    [InlineData("Address", "https://10.0.0.1:6443", false)]
    [InlineData("Address", "https://10.0.0.1:443/proxy", false)]
    [InlineData("Address", "https://10.0.0.2:443", false)]
    [InlineData("Address", "http://10.0.0.1:443", false)]
    [InlineData("Address", "http://127.0.0.1:8001", false)]
    [InlineData("Address", "https://localhost:7445", false)]
    [InlineData("TokenFile", "/var/run/secrets/kubernetes.io/serviceaccount/token", true)]
    [InlineData("TokenFile", "", true)]
    [InlineData("TokenFile", "/etc/orleans-wireguard/token", false)]
    [InlineData("TokenFile", "/var/run/secrets/kubernetes.io/serviceaccount/../token", false)]
    [InlineData("CertificateAuthorityFile", "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", true)]
    [InlineData("CertificateAuthorityFile", "/etc/orleans-wireguard/ca.crt", false)]
    [InlineData("KubeConfigPath", "", true)]
    [InlineData("KubeConfigPath", "/etc/orleans-wireguard/config", false)]
    public void Validate_InPod_TakesItsOwnOnly(string setting, string value, bool isFine)
    {
        var inPod = Validate(Set, Pod);
        Assert.Equal(isFine, inPod.Succeeded);
        Assert.True(isFine
            || inPod.Failures!.Single().StartsWith($"Kubernetes:{setting} is \"{value}\"", StringComparison.Ordinal), inPod.FailureMessage);
        Assert.True(isFine || inPod.FailureMessage!.Contains("remove the setting", StringComparison.Ordinal), inPod.FailureMessage);

        // A pod whose address is not known has no own one.
        Assert.Equal(isFine && setting != "Address", Validate(Set, new PodIdentity("", "")).Succeeded);

        void Set(KubernetesApiOptions options)
        {
            options.Address = setting == "Address" ? new Uri(value) : null;
            options.TokenFile = setting == "TokenFile" ? value : null;
            options.CertificateAuthorityFile = setting == "CertificateAuthorityFile" ? value : null;
            options.KubeConfigPath = setting == "KubeConfigPath" ? value : null;
        }
    }

    [Fact]
    public void Validate_InPodWithAllOfSomebodyElse_TellsAll()
    {
        var result = Validate(
            options => (options.Address, options.TokenFile, options.CertificateAuthorityFile, options.KubeConfigPath) =
                (new Uri("https://192.0.2.1"), "t", "c", null), Pod);
        Assert.Equal(3, result.Failures?.Count());
        Assert.Contains("KUBERNETES_SERVICE_HOST", result.FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_OutsideOfPods_TakesWhatIsSet()
    {
        Assert.True(Validate(options =>
            (options.Address, options.TokenFile, options.CertificateAuthorityFile) = (new Uri("https://192.0.2.1"), "t", "c")).Succeeded);
        Assert.True(Validate(options => options.KubeConfigPath = "config").Succeeded);
    }

    [Theory]
    [InlineData("10.0.0.1", "443", false, "https://10.0.0.1/")]
    [InlineData("2001:db8::1", "6443", false, "https://[2001:db8::1]:6443/")]
    [InlineData("localhost", "7445", true, "https://localhost:7445/")]
    [InlineData("", "", true, null)]
    public void Find_Pod_KnowsItsServer(string host, string port, bool hasToken, string? server)
    {
        var pod = PodIdentity.Find(name => name == PodIdentity.HostVariable ? host : name == PodIdentity.PortVariable
            ? port
            : null, file => hasToken && file == PodIdentity.TokenFile);
        Assert.NotNull(pod);
        Assert.Equal(server, pod.Server?.AbsoluteUri);
    }

    [Fact]
    public void Find_NoPod_IsNull() => Assert.Null(PodIdentity.Find(_ => null, _ => false));

    private static ValidateOptionsResult Validate(Action<KubernetesApiOptions> change, PodIdentity? pod = null)
    {
        var options = new KubernetesApiOptions { Pod = pod };
        change(options);
        return new KubernetesApiOptionsValidator().Validate(null, options);
    }
}
