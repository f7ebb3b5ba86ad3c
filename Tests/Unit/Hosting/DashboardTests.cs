using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>The dashboard costs nothing unless somebody asks for it.</summary>
public sealed class DashboardTests
{
    [Theory]
    [InlineData(null, null, false)]
    [InlineData("false", "false", false)]
    [InlineData("true", null, true)]
    [InlineData(null, "true", true)]
    public void AddWireGuard_Dashboard_IsThereOnlyIfAskedFor(string? enabled, string? counters, bool expected)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["Dashboard:Enabled"] = enabled;
        builder.Configuration["Dashboard:Counters"] = counters;
        builder.AddWireGuard();
        Assert.Equal(expected, builder.Services.Any(IsOfTheDashboard));
    }

    private static bool IsOfTheDashboard(ServiceDescriptor service) =>
        (Type?[])[service.ServiceType, .. service.ServiceType.GenericTypeArguments, service.IsKeyedService
            ? null
            : service.ImplementationType] is var types
        && types.Any(type => type?.Namespace?.StartsWith("Orleans.Dashboard", StringComparison.Ordinal) == true);
}
