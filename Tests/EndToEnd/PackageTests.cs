using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.RegularExpressions;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The two clients from outside: packed, referenced by an empty project, and used as their READMEs show, word for word.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed partial class PackageTests(ApiCluster cluster) : IClassFixture<ApiCluster>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("owg-packages-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Linux_UsedAsItsReadmeShows_MakesADeviceWithAPeer()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await PackAsync("Interfaces/Values", "Grains/Keys", "Silo/Linux");
        var program = await BuildAsync("Silo/Linux");
        using var peer = KeyPair.Create();
        const string Namespace = "owg-package";
        (await Command.RunAsync("ip", ["netns", "add", Namespace], Token)).EnsureSuccess();
        try
        {
            var result = await Command.RunAsync(
                "ip", ["netns", "exec", Namespace, "dotnet", program, peer.PublicKey.ToString(), "192.0.2.1:51820", "10.0.0.0/24"], Token);
            Assert.True(result.ExitCode == 0, result.Output + result.Error);
            Assert.Contains(peer.PublicKey.ToString(), result.Output, StringComparison.Ordinal);
            var shown = (await Command.RunAsync("ip", ["netns", "exec", Namespace, "wg", "show", "wg0", "allowed-ips"], Token))
                .EnsureSuccess().Output;
            Assert.Equal($"{peer.PublicKey}\t10.0.0.0/24\n", shown);
        }
        finally
        {
            // With its device the process of wireguard-go ends too.
            await Command.RunAsync("ip", ["netns", "exec", Namespace, "ip", "link", "delete", "wg0"], CancellationToken.None);
            (await Command.RunAsync("ip", ["netns", "delete", Namespace], CancellationToken.None)).EnsureSuccess();
        }
    }

    [Fact]
    public async Task Kubernetes_UsedAsItsReadmeShows_IsAnActiveSilo()
    {
        Assert.SkipWhen(cluster.IsReal, "would leave its membership in the default namespace of a shared cluster");
        await PackAsync("Interfaces/Values", "Grains/Supervision", "Silo/Kubernetes");
        var program = await BuildAsync("Silo/Kubernetes");

        // As kubectl has it, the variable may name several, of which one may be missing and another may say nothing.
        var (empty, kubeConfig) = (Path.Combine(_folder, "empty"), Path.Combine(_folder, "kubeconfig"));
        await File.WriteAllTextAsync(empty, "apiVersion: v1\nkind: Config\n", Token);
        KubeConfigFile.Write(kubeConfig, cluster.Server);
        using var running = Process.Start(new ProcessStartInfo("dotnet", [program])
        {
            Environment = { ["KUBECONFIG"] = $"{_folder}/missing:{empty}:{kubeConfig}" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            // What it says is read all the time, or it would stand still with a full pipe.
            var said = new ConcurrentQueue<string?>();
            running.OutputDataReceived += (_, line) => said.Enqueue(line.Data);
            running.ErrorDataReceived += (_, line) => said.Enqueue(line.Data);
            running.BeginOutputReadLine();
            running.BeginErrorReadLine();
            for (var started = TimeProvider.System.GetTimestamp(); !await IsActiveAsync();)
            {
                Assert.True(
                    !running.HasExited && TimeProvider.System.GetElapsedTime(started) < Patience,
                    $"no active silo after {Patience}:\n{string.Join('\n', said)}");
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
            }

            (await Command.RunAsync("kill", ["-TERM", $"{running.Id}"], Token)).EnsureSuccess();
            await running.WaitForExitAsync(Token).WaitAsync(Patience, TimeProvider.System, Token);
            Assert.True(running.ExitCode == 0, string.Join('\n', said));
        }
        finally
        {
            if (!running.HasExited)
            {
                running.Kill();
            }
        }

        async Task<bool> IsActiveAsync()
        {
            var (code, text) = await cluster.SendAsync(HttpMethod.Get, "apis/orleans.wireguard/v1/namespaces/default/orleansclusters/shop");
            return code == HttpStatusCode.OK && text.Contains("Active", StringComparison.Ordinal);
        }
    }

    // Whoever changes a version finds here where else it is named.
    [Fact]
    public async Task Readme_EveryPackage_NamesTheVersionsOfNow()
    {
        var ours = Match(MajorMinor(), await File.ReadAllTextAsync(RepositoryFiles.Find("Directory.Build.props"), Token));
        var orleans = Match(OrleansVersion(), await File.ReadAllTextAsync(RepositoryFiles.Find("Directory.Packages.props"), Token));
        foreach (var project in (string[])["Silo/Linux", "Silo/Kubernetes"])
        {
            var references = Match(References(), await ReadmeAsync(project));
            Assert.Contains($"\"Orleans.WireGuard.{project.Split('/')[1]}\" Version=\"{ours}.*-*\"", references, StringComparison.Ordinal);
            Assert.DoesNotMatch($"Microsoft.Orleans.*Version=\"(?!{Regex.Escape(orleans)}\")", references);
        }
    }

    private static Task<string> ReadmeAsync(string project) => File.ReadAllTextAsync(RepositoryFiles.Find($"{project}/README.md"), Token);

    private static string Match(Regex what, string text) => what.Match(text).Groups[1].Value.Trim();

    private async Task PackAsync(params string[] projects)
    {
        foreach (var project in projects)
        {
            await DotnetAsync(
                RepositoryFiles.Find(project), "pack", "--no-build", "--configuration", "Release", "--output", Path.Combine(
                    _folder, "feed"));
        }
    }

    // An empty project with the sample and the references, both as the README has them, far from the files that configure ours.
    private async Task<string> BuildAsync(string project)
    {
        var sample = Directory.CreateDirectory(Path.Combine(_folder, "sample")).FullName;
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        await File.WriteAllTextAsync(Path.Combine(sample, "Program.cs"), Match(Code(), await ReadmeAsync(project)) + "\n", Token);

        // Ours are unpacked here, and not where an older one of the same version may lie; all others are there since the product was built.
        await File.WriteAllTextAsync(
            Path.Combine(sample, "sample.csproj"),
            $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <RestoreAdditionalProjectSources>{_folder}/feed</RestoreAdditionalProjectSources>
                <RestorePackagesPath>{_folder}/packages</RestorePackagesPath>
                <RestoreFallbackFolders>{packages}</RestoreFallbackFolders>
              </PropertyGroup>
              <ItemGroup>
                {Match(References(), await ReadmeAsync(project))}
              </ItemGroup>
            </Project>
            """,
            Token);
        await DotnetAsync(sample, "build", "--output", Path.Combine(_folder, "built"));
        return Path.Combine(_folder, "built", "sample.dll");
    }

    private static async Task DotnetAsync(string project, string verb, params string[] options)
    {
        var result = await Command.RunAsync("dotnet", [verb, project, "--nologo", .. options], Token);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
    }

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Code();

    [GeneratedRegex("```xml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex References();

    [GeneratedRegex("<OrleansVersion>(.*)</OrleansVersion>")]
    private static partial Regex OrleansVersion();

    [GeneratedRegex("<MinVerMinimumMajorMinor>(.*)</MinVerMinimumMajorMinor>")]
    private static partial Regex MajorMinor();
}
