using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// Settings that another version wrote, and real silos: after the program alone was rolled back they run without what they do not know, and
/// say so; what means safety is never among that.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class SettingVersionTests(BadStartUpFixture fixture) : IClassFixture<BadStartUpFixture>
{
    private const string Newer = "99.0";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private NodePlan First => fixture.Mesh.Plan.Nodes[0];

    [Fact]
    public async Task Run_FileOfANewerVersion_IsReadyAndNamesWhatItIgnores()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var mesh = fixture.Mesh;
        mesh.Configure(TimeSpan.FromMinutes(2), configuration =>
        {
            configuration.Insert(0, "$version", Newer);
            configuration["Rotation"]!["Quantum"] = true;
            configuration["Telemetry"] = new JsonObject { ["Endpoint"] = "192.0.2.1:4317" };
        });
        mesh.StartSilo(First);
        mesh.StartSilo(mesh.Plan.Nodes[1]);
        try
        {
            await new MeshStarter(mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage)
                .WaitReadyAsync(mesh.Plan.Nodes, Token);
            var warnings = (await File.ReadAllLinesAsync(mesh.State.SiloLog(First), Token))
                .Where(line => line.Contains("is of version", StringComparison.Ordinal)).ToList();
            Assert.EndsWith(
                $"newer than this owg, {Silo.Hosting.SiloConfiguration.OwnVersion}, which ignores what it does not know: Rotation:Quantum, Telemetry",
                Assert.Single(warnings), StringComparison.Ordinal);

            // Whoever only looks takes of the file what it knows.
            var status = await mesh.RunAsync(First, Token, "owg", "status", "--config", mesh.State.SiloConfiguration(First));
            Assert.True(status.ExitCode is 0 or 3, status.Error);
            Assert.Equal("", status.Error);
        }
        finally
        {
            foreach (var node in mesh.Plan.Nodes)
            {
                await mesh.KillSiloAsync(node, Token);
                await mesh.RunAsync(node, Token, "owg", "cleanup");
            }
        }
    }

    [Theory]
    [InlineData(Newer, "Encryption", "Encryption:Audit: not known to this owg")]
    [InlineData(null, "Encryption", "Encryption:Audit: not known to this owg")]
    [InlineData(null, "Rotation", "Rotation:Audit: not known to this owg")]
    [InlineData("0.0.1", "Rotation", "this one says 0.0.1")]
    [InlineData("newest", "Logging", "$version is 'newest'")]
    public async Task Run_WhatIsNeverIgnored_EndsWithTwo(string? version, string section, string mentioned)
    {
        LocalMeshCollection.SkipUnlessPossible();
        var mesh = fixture.Mesh;
        var configuration = SiloConfiguration.Create(mesh.Plan, First, TimeSpan.FromSeconds(5));
        configuration[section] ??= new JsonObject();
        configuration[section]!["Audit"] = "1";
        if (version is not null)
        {
            configuration["$version"] = version;
        }

        var file = Path.Combine(mesh.State.NodeDirectory(First), "version.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString(), Token);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        var result = await mesh.RunAsync(First, limit.Token, "owg", "run", "--config", file);
        Assert.True(result.ExitCode == 2, $"exit code {result.ExitCode}\n{result.Error}\n{result.Output}");
        Assert.Contains(mentioned, Assert.Single(result.Error.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
    }

    // It belongs to no file that could say to be of a newer version.
    [Fact]
    public async Task Run_UnknownVariable_EndsWithTwoWhateverTheFileSays()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var mesh = fixture.Mesh;
        var configuration = SiloConfiguration.Create(mesh.Plan, First, TimeSpan.FromSeconds(5));
        configuration["$version"] = Newer;
        var file = Path.Combine(mesh.State.NodeDirectory(First), "variable.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString(), Token);
        foreach (var (variable, mentioned) in ((string, string)[])
            [
                ("OWG_Rotation__Quantum=1", "Rotation"), ("OWG_Telemetry__Endpoint=1", "Telemetry"),

                // These would set nothing, and nobody would say so.
                ("OWG_Encryption_Mode=Strict", "write OWG_Encryption__Mode, with two underscores"),
                ("OWG_Encryption__ClusterCIDRs=10.244.0.0/16", "Encryption:ClusterCIDRs is one value, '10.244.0.0/16'; expected a list"),
            ])
        {
            var result = await mesh.RunAsync(First, Token, "env", variable, "owg", "run", "--config", file);
            Assert.True(result.ExitCode == 2, $"exit code {result.ExitCode}\n{result.Error}\n{result.Output}");
            Assert.Contains(mentioned, result.Error, StringComparison.Ordinal);
        }
    }
}
