using System.Reflection;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>Every setting says which version brought it, and the catalogue knows what the binder binds.</summary>
public sealed class SettingCatalogueTests
{
    // Found, not listed, so that a new one cannot be forgotten; with what their lists and dictionaries consist of.
    private static readonly IReadOnlyList<PropertyInfo> Settings = [.. Product.Types
        .Where(type => type.GetField("SectionName") is { IsLiteral: true })
        .SelectMany(type => PropertiesOf(type)).Distinct()];

    [Fact]
    public void Settings_Each_SaysWhichVersionBroughtIt()
    {
        Assert.Contains(Settings, property => property.Name == "PodCIDRs");
        Assert.Contains(Settings, property => property.Name == "WatchChanges");
        Assert.True(Settings.Count >= 60, $"only {Settings.Count} settings were found");
        Assert.Empty(Settings.Where(property => property.GetCustomAttribute<SinceAttribute>() is null).Select(Name));
    }

    // A setting of a version that this tree does not lead to would be refused by a silo that has it: raise MinVerMinimumMajorMinor.
    [Fact]
    public void Settings_None_IsOfALaterVersionThanThisOne() => Assert.Empty(
        Settings.Where(property => property.GetCustomAttribute<SinceAttribute>()!.Version > SiloConfiguration.OwnVersion).Select(Name));

    [Theory]
    [InlineData("Device:Mtu", "0.1.0", null)]
    [InlineData("device:mtu", "0.1.0", null)]
    [InlineData("Nodes:Static", "0.1.0", null)]
    [InlineData("Nodes:Static:0:Name", "0.1.0", null)]
    [InlineData("Nodes:Static:0:PodCIDRs:1", "0.1.0", null)]
    [InlineData("Clustering:Kubernetes:WatchChanges", "0.1.0", null)]
    [InlineData("Device:PersistentKeepaliveOf:edge-1", "0.1.0", null)]
    [InlineData("Logging:LogLevel:Orleans.WireGuard", "0.0.0", null)]
    [InlineData("Kubernetes:Address", "0.1.0", null)]
    [InlineData("Kubernetes:Pod", null, "Kubernetes:Pod")]
    [InlineData("Kubernetes:Address:Host", null, "Kubernetes:Address:Host")]
    [InlineData("Device:Mtu:A:B", null, "Device:Mtu:A")]
    [InlineData("Encryption:Mode:Length", null, "Encryption:Mode:Length")]
    [InlineData("Rotation:EffectiveMaxKeyAge", null, "Rotation:EffectiveMaxKeyAge")]
    [InlineData("Nodes:Static:0:Nme", null, "Nodes:Static:0:Nme")]
    [InlineData("Telemetry:A:B", null, "Telemetry")]
    public void TryFind_Golden_IsWhatTheBinderBinds(string key, string? since, string? unknown)
    {
        var isKnown = SiloConfiguration.Catalogue.TryFind(key, out var brought, out var part);
        Assert.Equal((since is not null, unknown), (isKnown, part));
        Assert.Equal(since ?? brought.ToString(), brought.ToString());
    }

    [Fact]
    public void Version_OfAnAttribute_ThatIsNone_Throws() => Assert.Throws<FormatException>(() => new SinceAttribute("soon").Version);

    private static IEnumerable<PropertyInfo> PropertiesOf(Type type) => !SettingCatalogue.IsOurs(type)
        ? []
        : type.GetProperties().SelectMany(property => PropertiesOf(
            SettingCatalogue.ElementOf(property.PropertyType) ?? property.PropertyType).Prepend(property));

    private static string Name(PropertyInfo property) => $"{property.DeclaringType!.Name}.{property.Name}";
}
