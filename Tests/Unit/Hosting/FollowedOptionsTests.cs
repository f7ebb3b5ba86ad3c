using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>
/// A real file is edited while a silo's services have it: what is wrong is said once and changes nothing, what is right is followed.
/// </summary>
public sealed class FollowedOptionsTests : IAsyncLifetime
{
    private const string Ignored = "are ignored, the former ones stay in force";

    private readonly FileInfo _file = new(Path.Combine(Directory.CreateTempSubdirectory("owg-followed-").FullName, "owg.json"));
    private readonly LogRecorder _logs = new();
    private readonly IHost _host;
    private readonly string _content;

    public FollowedOptionsTests()
    {
        Write(Configuration(Nodes("node-1", "node-2"), "Strict"));
        _content = File.ReadAllText(_file.FullName);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        SiloConfiguration.AddSources(builder.Configuration, _file, isSilo: true);
        builder.Logging.AddFilter("", LogLevel.None).AddFilter("Orleans.WireGuard", LogLevel.Information).AddProvider(_logs);

        // The machine of a test is no node.
        var links = new FakeLinkClient();
        builder.Services.AddSingleton<IWireGuardClient>(new FakeWireGuardClient(links))
            .AddSingleton<ILinkClient>(links).AddSingleton<IPathProbe>(new FakePathProbe()).AddSingleton<IFirewall>(new FakeFirewall())
            .AddSingleton<IWitness>(new FakeWitness()).AddSingleton<INetworkDump>(new FakeNetworkDump());
        builder.AddWireGuard();
        _host = builder.Build();
    }

    private INodeRosterSource Roster => _host.Services.GetRequiredService<INodeRosterSource>();

    private IReadOnlyList<string> Warnings => [.. _logs.Lines.Where(line => line.StartsWith("Warning: ", StringComparison.Ordinal))];

    private ConfigurationFollower Follower => _host.Services.GetServices<IHostedService>().OfType<ConfigurationFollower>().Single();

    // The silo itself does not run; the test looks instead of it.
    public ValueTask InitializeAsync()
    {
        Assert.Equal(2, Roster.Current!.Nodes.Count);
        return ValueTask.CompletedTask;
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
    public void Edit_Wrong_IsSaidAndTheNextGoodOneFollowed(string wrong, string expected)
    {
        Write(Configuration(wrong, "Strict"));
        Look(times: 3);
        Assert.Contains(expected, Assert.Single(Warnings), StringComparison.Ordinal);
        Assert.Equal(["node-1", "node-2"], Roster.Current!.Nodes.Keys);

        Write(Configuration(Nodes("node-1", "node-2", "node-3"), "Strict"));
        Look(times: 2);
        Assert.Equal(3, Roster.Current!.Nodes.Count);
        Assert.Single(Warnings);
    }

    // As at the start: a file that a newer version was meant to read is followed without what is not known, and said once.
    [Fact]
    public void Edit_OfANewerVersion_IsFollowedWithoutWhatIsNotKnown()
    {
        Write(OfVersion("99.0", Configuration(
            """{ "Static": [{ "Name": "node-1", "Addresses": ["10.0.0.1"], "Zone": "a" }], "Nova": [1, 2] }""", "Permissive")));
        Look(times: 3);
        Assert.Equal(["node-1"], Roster.Current!.Nodes.Keys);
        Assert.Equal(EncryptionMode.Permissive, Mode);
        Assert.EndsWith("ignores what it does not know: Nodes:Nova, Nodes:Static:0:Zone", Assert.Single(Warnings), StringComparison.Ordinal);

        Write(OfVersion("0.0", Configuration(Nodes("node-1", "node-2"), "Permissive")));
        Look(times: 3);
        Assert.Equal(2, Roster.Current!.Nodes.Count);
        Assert.Contains("an owg of that version refuses Encryption:Mode (since 0.1.0), Node:Name", Warnings[^1], StringComparison.Ordinal);
        Assert.Contains("; say 0.1.0 there", Warnings[^1], StringComparison.Ordinal);
        Assert.Equal(2, Warnings.Count);
    }

    [Theory]
    [InlineData("99.0", "\"Audit\": true, ", "Encryption:Audit: not known to this owg")]
    [InlineData("0.1", "\"Audit\": true, ", "Encryption:Audit: not known to this owg")]
    [InlineData("soon", "", "$version is 'soon'; expected the version")]
    public void Edit_UnknownBelowEncryptionOrVersionThatIsNone_ChangesNothing(string version, string added, string expected)
    {
        var text = OfVersion(version, Configuration(Nodes("node-1"), "Permissive"));
        Write(text.Replace("\"Encryption\": { ", $"\"Encryption\": {{ {added}", StringComparison.Ordinal));
        Look(times: 4);
        Assert.Equal(2, Roster.Current!.Nodes.Count);
        Assert.Equal(EncryptionMode.Strict, Mode);
        var warning = Assert.Single(Warnings);
        Assert.Contains("is ignored, the former one stays in force", warning, StringComparison.Ordinal);
        Assert.Contains(expected, warning, StringComparison.Ordinal);
    }

    // What the agent asks for in every pass must not throw there.
    [Fact]
    public void Edit_WrongMode_KeepsTheFormer()
    {
        var encryption = _host.Services.GetRequiredService<IOptionsMonitor<EncryptionOptions>>();
        Write(Configuration(Nodes("node-1", "node-2"), "Permissive"));
        Look(times: 1);
        Assert.Equal(EncryptionMode.Permissive, encryption.CurrentValue.Mode);
        Write(Configuration(Nodes("node-1", "node-2"), "Lenient"));
        Look(times: 2);
        Assert.Equal(EncryptionMode.Permissive, encryption.CurrentValue.Mode);
        var warning = Assert.Single(Warnings);
        Assert.Contains($"The changed EncryptionOptions {Ignored}", warning, StringComparison.Ordinal);
        Assert.Contains("Lenient", warning, StringComparison.Ordinal);
    }

    // The ways in which people and kubelets replace a file. The last one is that of a ConfigMap's volume, in which the file itself never
    // changes.
    [Theory]
    [InlineData("rename")]
    [InlineData("in place")]
    [InlineData("deleted first")]
    [InlineData("link of a folder")]
    [InlineData("same length and time")]
    public void Edit_ByAnyWay_IsFollowed(string way)
    {
        var strict = Configuration(Nodes("node-1", "node-2"), "Strict");
        var next = Configuration(Nodes("node-1", "node-3"), "Strict");
        Assert.Equal(strict.Length, next.Length);
        switch (way)
        {
            case "in place":
                File.WriteAllText(_file.FullName, next);
                break;
            case "deleted first":
                File.Delete(_file.FullName);
                Look(times: 1);
                File.WriteAllText(_file.FullName, next);
                break;
            case "link of a folder":
                Volume(strict, "..2026_1");
                Look(times: 1);
                Volume(next, "..2026_2");
                break;
            case "same length and time":
                var time = File.GetLastWriteTimeUtc(_file.FullName);
                File.WriteAllText(_file.FullName, next);
                File.SetLastWriteTimeUtc(_file.FullName, time);
                break;
            default:
                Write(next);
                break;
        }

        Look(times: 1);
        Assert.Equal(["node-1", "node-3"], Roster.Current!.Nodes.Keys);
        Assert.Empty(Warnings);
    }

    [Fact]
    public void Look_FileStaysAway_IsSaidOnceAndTheFormerStays()
    {
        File.Delete(_file.FullName);
        Look(times: 1);
        Assert.Empty(Warnings);
        Look(times: 5);
        Assert.Contains("ignored, the former one stays in force: Could not find file", Assert.Single(Warnings), StringComparison.Ordinal);
        Assert.Equal(2, Roster.Current!.Nodes.Count);

        Directory.CreateDirectory(_file.FullName);
        Look(times: 5);
        Assert.Equal(2, Warnings.Count);
        Directory.Delete(_file.FullName);
        Write(Configuration(Nodes("node-1"), "Strict"));
        Look(times: 1);
        Assert.Single(Roster.Current!.Nodes);
    }

    // Whoever follows may throw whatever it likes.
    [Fact]
    public void Look_SomebodyCannotUseIt_IsSaidAndTheRestFollowed()
    {
        using var subscription = _host.Services.GetRequiredService<IConfiguration>().GetReloadToken()
            .RegisterChangeCallback(_ => throw new NotImplementedException("not yet"), null);
        Write(Configuration(Nodes("node-1", "node-2", "node-3"), "Strict"));
        Look(times: 3);
        Assert.Equal(3, Roster.Current!.Nodes.Count);
        Assert.Contains("not yet", Assert.Single(Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Look_NothingChanged_TellsNobody()
    {
        var told = 0;
        using var subscription = _host.Services.GetRequiredService<IConfiguration>()
            .GetReloadToken().RegisterChangeCallback(_ => told++, null);
        Write(_content);
        Look(times: 3);
        Assert.Equal(0, told);
    }

    // A watch would take one of the few inotify instances of a node, and a descriptor for each folder below that of the file.
    [Fact]
    public void Sources_NothingWatches()
    {
        var files = Directory.EnumerateFiles(Path.Combine(TestData.Root, "Silo"), "*.cs", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(Path.Combine(TestData.Root, "Grains"), "*.cs", SearchOption.AllDirectories)).ToList();
        Assert.NotEmpty(files);
        Assert.DoesNotContain(files, file => File.ReadAllText(file) is var text
            && (text.Contains("reloadOnChange: true", StringComparison.Ordinal)
                || text.Contains("FileSystemWatcher", StringComparison.Ordinal)));
    }

    private EncryptionMode Mode => _host.Services.GetRequiredService<IOptionsMonitor<EncryptionOptions>>().CurrentValue.Mode;

    private static string OfVersion(string version, string configuration) => $$"""{ "$version": "{{version}}", {{configuration[2..]}}""";

    private void Look(int times)
    {
        for (var i = 0; i < times; i++)
        {
            Follower.Look();
        }
    }

    // As a kubelet does it (AtomicWriter): the file is a link into "..data", which is a link to a folder with a date.
    private void Volume(string content, string date)
    {
        var root = _file.DirectoryName!;
        Directory.CreateDirectory(Path.Combine(root, date));
        File.WriteAllText(Path.Combine(root, date, _file.Name), content);
        File.CreateSymbolicLink(Path.Combine(root, "..data_tmp"), date);
        Native.Rename(Path.Combine(root, "..data_tmp"), Path.Combine(root, "..data"));
        if (_file.LinkTarget is null)
        {
            File.Delete(_file.FullName);
            File.CreateSymbolicLink(_file.FullName, Path.Combine("..data", _file.Name));
            _file.Refresh();
        }
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
