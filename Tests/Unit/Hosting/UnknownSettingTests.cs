using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>A misspelt setting is told at the start, in whatever section it is: it would be a setting that silently does nothing.</summary>
public sealed class UnknownSettingTests
{
    [Theory]
    [InlineData("Node:Nme")]
    [InlineData("Nodes:Statik")]
    [InlineData("Clustering:ClusterID2")]
    [InlineData("Clustering:Kubernetes:HeartbeatStalenes")]
    [InlineData("Kubernetes:Adress")]
    [InlineData("Device:Mtuu")]
    [InlineData("Encryption:Mod")]
    [InlineData("Routing:Tabel")]
    [InlineData("Web:Prot")]
    [InlineData("Rotation:Perod")]
    [InlineData("Delivery:AttemptTimeOuts")]
    public void Validate_UnknownKey_NamesIt(string key)
    {
        using var host = Build(key);
        var fault = Assert.ThrowsAny<Exception>(host.Services.GetRequiredService<IStartupValidator>().Validate);
        Assert.Contains(key[(key.LastIndexOf(':') + 1)..], fault.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Clustering:ClusterId")]
    [InlineData("Kubernetes:Namespace")]
    public void Validate_KnownKey_IsFine(string key)
    {
        using var host = Build(key);
        Assert.Null(Record.Exception(host.Services.GetRequiredService<IStartupValidator>().Validate));
    }

    private static IHost Build(string key)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Node:Name"] = "node-1",
            ["Nodes:Static:0:Name"] = "node-1",
            ["Nodes:Static:0:Addresses:0"] = "10.0.0.1",
            [key] = "7",
        });
        builder.AddWireGuard();
        return builder.Build();
    }
}
