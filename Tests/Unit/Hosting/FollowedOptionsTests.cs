using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Routing;
using Orleans.WireGuard.Silo.Routing.Firewall;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>A real file is edited while a silo's services have it: what is wrong is said once and changes nothing, what is right is followed.</summary>
public sealed class FollowedOptionsTests : IAsyncLifetime
{
    private const string Ignored = "are ignored, the former ones stay in force";

    private readonly FileInfo _file = new(Path.Combine(Directory.CreateTempSubdirectory("owg-followed-").FullName, "owg.json"));
    private readonly LogRecorder _logs = new();
    private readonly IHost _host;

    public FollowedOptionsTests()
    {
        Write(Configuration(Nodes("node-1", "node-2"), "Strict"));
        var builder = Host.CreateEmptyApplicationBuilder(null);
        SiloConfiguration.AddSources(builder.Configuration, _file);
        builder.Logging.AddFilter("", LogLevel.None).AddFilter("Orleans.WireGuard", LogLevel.Information).AddProvider(_logs);

        // The machine of a test is no node.
        var links = new FakeLinkClient();
        builder.Services.AddSingleton<IWireGuardClient>(new FakeWireGuardClient(links)).AddSingleton<ILinkClient>(links).AddSingleton<IFirewall>(new FakeFirewall());
        builder.AddWireGuard();
        _host = builder.Build();
    }

    private INodeRosterSource Roster => _host.Services.GetRequiredService<INodeRosterSource>();

    private IReadOnlyList<string> Warnings => [.. _logs.Lines.Where(line => line.StartsWith("Warning: ", StringComparison.Ordinal))];

    // The silo itself does not run; this is all that the following needs.
    public async ValueTask InitializeAsync()
    {
        Assert.Equal(2, Roster.Current!.Nodes.Count);
        await _host.Services.GetServices<IHostedService>().OfType<ReloadFaults>().Single().StartAsync(TestContext.Current.CancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        _host.Dispose();
        _file.Directory!.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData("""{ "Static": [{ "Name": "node-1" }] }""", "Nodes:Static:0:Addresses has 0 entries")]
    [InlineData("""{ "Static": [{ "Name": "node-7", "Addresses": ["10.0.0.7"] }] }""", "'node-1' is not in Nodes:Static")]
    [InlineData("""{ "Statik": [] }""", "Statik")]
    [InlineData("""{ "Source": "Nowhere" }""", "Nowhere")]
    [InlineData("""{ "Static": [{ """, "owg.json is ignored, the former one stays in force")]
    public async Task Edit_Wrong_IsSaidAndTheNextGoodOneFollowed(string wrong, string expected)
    {
        Write(Configuration(wrong, "Strict"));
        await MeshCluster.Eventually(() => Warnings.Count > 0, "the warning");
        Assert.Equal(["node-1", "node-2"], Roster.Current!.Nodes.Keys);

        Write(Configuration(Nodes("node-1", "node-2", "node-3"), "Strict"));
        await MeshCluster.Eventually(() => Roster.Current!.Nodes.Count == 3, "the good edit to be followed");
        Assert.Contains(expected, Assert.Single(Warnings), StringComparison.Ordinal);
    }

    // What the agent asks for in every pass must not throw there.
    [Fact]
    public async Task Edit_WrongMode_KeepsTheFormer()
    {
        var encryption = _host.Services.GetRequiredService<IOptionsMonitor<EncryptionOptions>>();
        Write(Configuration(Nodes("node-1", "node-2"), "Permissive"));
        await MeshCluster.Eventually(() => encryption.CurrentValue.Mode == EncryptionMode.Permissive, "the good mode to be followed");
        Write(Configuration(Nodes("node-1", "node-2"), "Lenient"));
        await MeshCluster.Eventually(() => Warnings.Count > 0, "the warning");
        Assert.Equal(EncryptionMode.Permissive, encryption.CurrentValue.Mode);
        var warning = Assert.Single(Warnings);
        Assert.Contains($"The changed EncryptionOptions {Ignored}", warning, StringComparison.Ordinal);
        Assert.Contains("Lenient", warning, StringComparison.Ordinal);
    }

    private static string Nodes(params string[] names) => $$"""{ "Static": {{JsonSerializer.Serialize(
        names.Select((name, i) => new { Name = name, Addresses = new[] { $"10.0.0.{i + 1}" } }))}} }""";

    private static string Configuration(string nodes, string mode) =>
        $$"""{ "Node": { "Name": "node-1" }, "Nodes": {{nodes}}, "Encryption": { "Mode": "{{mode}}" } }""";

    // As careful editors do: nobody reads half of it.
    private void Write(string text)
    {
        var next = _file.FullName + ".next";
        File.WriteAllText(next, text);
        File.Move(next, _file.FullName, overwrite: true);
    }
}
