using Orleans.WireGuard.Silo.Cli;

namespace Orleans.WireGuard.Tests.Unit.Cli;

/// <summary>A verb takes what it knows of a file: it only looks, perhaps at a silo that is newer.</summary>
public sealed class CommandConfigurationTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("owg-verb-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("""{ "$version": "99.0", "Encryption": { "Audit": true }, "Clustering": { "GatewayPort": 30001 } }""")]
    [InlineData("""{ "Clustering": { "GatewayPort": 30001, "Quorum": 3 }, "Telemetry": 1 }""")]
    [InlineData("""{ "$version": "soon", "Clustering": { "GatewayPort": 30001 } }""")]
    public void TryRead_FileThatASiloRefuses_IsRead(string text)
    {
        var file = Path.Combine(_folder.FullName, "owg.json");
        File.WriteAllText(file, text);
        var configuration = CommandConfiguration.TryRead(OwgCommand.Create().Parse(["status", "--config", file]), out var fault);
        Assert.Equal(("", "30001"), (fault, configuration?["Clustering:GatewayPort"]));
    }

    [Fact]
    public void TryRead_NoJson_SaysSo()
    {
        var file = Path.Combine(_folder.FullName, "owg.json");
        File.WriteAllText(file, "{");
        Assert.Null(CommandConfiguration.TryRead(OwgCommand.Create().Parse(["status", "--config", file]), out var fault));
        Assert.Contains("is not JSON", fault, StringComparison.Ordinal);
    }
}
