using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Silo.Web;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Deploy;

/// <summary>The settings file has a place and a comment for every option, and nothing that no option reads.</summary>
public sealed class SettingsFileTests
{
    /// <summary>Every options class of ours by its section; found, not listed, so that a new one cannot be forgotten.</summary>
    private static readonly Dictionary<string, Type> Options = Product.Types
        .Where(type => type.GetField("SectionName") is { IsLiteral: true })
        .ToDictionary(type => (string)type.GetField("SectionName")!.GetRawConstantValue()!);

    [Fact]
    public void Keys_AreTheOptions()
    {
        Assert.True(Options.Count >= 10, "the options classes were not found");
        Assert.Equal(Expected().Order(StringComparer.Ordinal), Keys(Manifests.Configuration)
            .Where(key => key != SettingRules.VersionKey && !key.StartsWith("Logging:", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal));
    }

    // A section that the silo does not know is refused at the start, so an options class that is not on its list cannot be set at all.
    [Fact]
    public void Sections_OfEveryOptions_AreKnownToTheSilo() => Assert.Empty(SiloConfiguration.FindUnknownSections(new ConfigurationBuilder()
        .AddInMemoryCollection(Options.Keys.Select(section => KeyValuePair.Create($"{section}:Any", (string?)"1"))).Build()));

    // An owg of before the youngest setting has to know that the file is newer than itself, or it would take that setting for a mistake.
    [Fact]
    public void Version_IsThatOfTheYoungestSetting()
    {
        var since = Keys(Manifests.Configuration).Where(key => key != SettingRules.VersionKey).Select(key =>
        {
            Assert.True(SiloConfiguration.Catalogue.TryFind(key, out var brought, out _), $"{key} is not known");
            return brought;
        }).ToList();
        Assert.Equal(since.Max(), ReleaseVersion.TryParse((string?)Manifests.Configuration[SettingRules.VersionKey]));
    }

    [Fact]
    public void Judge_TheFile_FindsNothing()
    {
        var verdict = SettingRules.Judge(
            Bind(Manifests.ConfigurationText).AsEnumerable().ToDictionary(), SiloConfiguration.Catalogue, SiloConfiguration.OwnVersion);
        Assert.Empty(verdict.Faults);
        Assert.Empty(verdict.Ignored);
        Assert.Empty(verdict.Ahead);
    }

    [Fact]
    public void Keys_UnknownOrMissing_AreFound()
    {
        var spoilt = Manifests.Configuration;
        spoilt["Web"]!["Prot"] = 1;
        ((JsonObject)spoilt["Device"]!).Remove("Mtu");
        Assert.Equal(["Device:Mtu"], Expected().Except(Keys(spoilt)));
        Assert.Contains("Web:Prot", Keys(spoilt).Except(Expected()));
    }

    [Fact]
    public void Values_AreDefaultsUnlessTheCommentSaysOtherwise()
    {
        var configuration = Bind(Manifests.ConfigurationText);
        var different = Options.SelectMany(section => section.Value.GetProperties().Where(property => property.CanWrite).Where(property =>
            !Equals(property.GetValue(Get(configuration, section)), property.GetValue(Activator.CreateInstance(section.Value))))
            .Select(property => $"{section.Key}:{property.Name}"));
        Assert.Equal(["Clustering:GatewayPort", "Clustering:Provider", "Web:Port"], different.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Settings_EachHaveAComment()
    {
        var lines = Manifests.ConfigurationText.Split('\n').Select(line => line.Trim()).ToList();
        for (var i = 0; i < lines.Count; i++)
        {
            if (lines[i].StartsWith('"') && !lines[i].EndsWith('{'))
            {
                Assert.True(lines[i - 1].StartsWith("//", StringComparison.Ordinal), $"{lines[i]} has no comment");
            }
        }
    }

    [Fact]
    public void Values_AreValid()
    {
        var configuration = Bind(Manifests.ConfigurationText);
        var node = Microsoft.Extensions.Options.Options.Create(new NodeOptions { Name = "node-1", Address = "10.0.0.4" });
        Assert.True(new NodeOptionsValidator().Validate(null, node.Value).Succeeded);
        Assert.True(new ClusteringOptionsValidator().Validate(null, Get<ClusteringOptions>(configuration)).Succeeded);
        var clustering = Microsoft.Extensions.Options.Options.Create(Get<ClusteringOptions>(configuration));
        Assert.True(new WebOptionsValidator(clustering).Validate(null, Get<WebOptions>(configuration)).Succeeded);
        Assert.True(new DeviceOptionsValidator().Validate(null, Get<DeviceOptions>(configuration)).Succeeded);
        var messaging = Microsoft.Extensions.Options.Options.Create(new Orleans.Configuration.SiloMessagingOptions());
        Assert.True(new RotationOptionsValidator(messaging).Validate(null, Get<RotationOptions>(configuration)).Succeeded);
        Assert.True(new DeliveryOptionsValidator(messaging).Validate(null, Get<DeliveryOptions>(configuration)).Succeeded);
        Assert.True(new KubernetesClusteringOptionsValidator().Validate(null, Get<KubernetesClusteringOptions>(configuration)).Succeeded);
        Assert.True(new KubernetesApiOptionsValidator().Validate(null, Get<KubernetesApiOptions>(configuration)).Succeeded);

        // In a pod, which has an API server.
        var api = Microsoft.Extensions.Options.Options.Create(new KubernetesApiOptions { Address = new Uri("https://10.0.0.1") });
        Assert.True(new NodesOptionsValidator(node, api).Validate(null, Get<NodesOptions>(configuration)).Succeeded);
        Assert.Contains("HOST_IP", Assert.Single(new NodesOptionsValidator(
            Microsoft.Extensions.Options.Options.Create(new NodeOptions { Name = "node-1" }), api)
                .Validate(null, Get<NodesOptions>(configuration)).Failures!), StringComparison.Ordinal);
    }

    private static IConfigurationRoot Bind(string json) =>
        new ConfigurationBuilder().AddJsonStream(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(json))).Build();

    private static object Get(IConfiguration configuration, KeyValuePair<string, Type> section)
    {
        var options = Activator.CreateInstance(section.Value)!;

        // Also fails for a key that no property has.
        configuration.GetSection(section.Key).Bind(options, static binder => binder.ErrorOnUnknownConfiguration = true);
        return options;
    }

    private static T Get<T>(IConfiguration configuration) => (T)Get(configuration, Options.Single(section => section.Value == typeof(T)));

    // A section within a section has keys of its own.
    private static IEnumerable<string> Expected() => Options.SelectMany(section => section.Value.GetProperties()
        .Where(property => !Options.ContainsValue(property.PropertyType)).Select(property => $"{section.Key}:{property.Name}"));

    private static IEnumerable<string> Keys(JsonObject json, string prefix = "") => json.SelectMany(pair =>
        pair.Value is JsonObject { Count: > 0 } inner ? Keys(inner, $"{prefix}{pair.Key}:") : [prefix + pair.Key]);
}
