using System.Globalization;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;

namespace Orleans.WireGuard.Tests.EndToEnd.Image;

/// <summary>A containerd of the test's own, with its images and containers below the mesh's files.</summary>
internal sealed class ContainerHost : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeProvider Time = TimeProvider.System;

    private readonly string _directory;
    private readonly string _socket;
    private readonly MeshHarness _mesh;
    private readonly CancellationToken _token;
    private readonly HashSet<string> _containers = [];
    private JsonNode? _template;

    private ContainerHost(MeshHarness mesh, CancellationToken token)
    {
        (_mesh, _token, Group) = (mesh, token, new PodsGroup(mesh.Plan.Prefix + "-pods"));
        _directory = Path.Combine(mesh.State.Directory, "containerd");
        _socket = Path.Combine(_directory, "containerd.sock");
    }

    /// <summary>The control group of all containers.</summary>
    public PodsGroup Group { get; }

    /// <summary>Starts it and waits until it answers.</summary>
    public static async Task<ContainerHost> StartAsync(MeshHarness mesh, CancellationToken token)
    {
        var host = new ContainerHost(mesh, token);
        host.EndLeftovers();
        host.Group.Create();
        Directory.CreateDirectory(host._directory);
        var configuration = Path.Combine(host._directory, "config.toml");

        // Root of a virtual machine may lack what lowers the score; the rest are parts that need file systems of their own.
        await File.WriteAllTextAsync(
            configuration,
            $"""
            version = 2
            root = "{host._directory}/root"
            state = "{host._directory}/state"
            oom_score = 0
            disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
            [grpc]
              address = "{host._socket}"
            [ttrpc]
              address = "{host._socket}.ttrpc"
            """,
            token);
        var process = mesh.Recorder.Start(["containerd", "--config", configuration], Path.Combine(host._directory, "log"));
        var started = Time.GetTimestamp();
        while ((await host.RunAsync(["version"])).ExitCode != 0)
        {
            Assert.True(
                process.IsAlive && Time.GetElapsedTime(started) < Patience, "containerd does not start:\n" + LogTail.Read(Path.Combine(host._directory, "log")));
            await Task.Delay(TimeSpan.FromMilliseconds(100), Time, token);
        }

        return host;
    }

    /// <summary>Loads an OCI archive.</summary>
    /// <returns>The image's name.</returns>
    public async Task<string> ImportAsync(string archive)
    {
        var before = await ImagesAsync();
        await DoAsync("images", "import", archive);
        return Assert.Single((await ImagesAsync()).Except(before), name => !name.StartsWith("sha256:", StringComparison.Ordinal));
    }

    /// <summary>Gives an image another name too.</summary>
    public Task TagAsync(string image, string name) => DoAsync("images", "tag", image, name);

    /// <summary>What containerd makes by itself for a container of this image, with its default filter of system calls.</summary>
    /// <remarks>The filter depends on the capabilities, so they are given here too.</remarks>
    public async Task<JsonNode> TemplateAsync(string image, IReadOnlyList<string> capabilities)
    {
        if (_template is null)
        {
            const string Probe = "template";
            var byDefault = JsonNode.Parse(await DoAsync("oci", "spec"))!["process"]!["capabilities"]!["bounding"]!.AsArray();
            await DoAsync([
                "containers", "create", "--seccomp", .. byDefault.SelectMany(name => (string[])["--cap-drop", (string)name!]),
                .. capabilities.SelectMany(name => (string[])["--cap-add", name]), image, Probe,
            ]);
            _template = JsonNode.Parse(await DoAsync("containers", "info", Probe))!["Spec"]!;
            await DoAsync("containers", "rm", Probe);
        }

        return _template;
    }

    /// <summary>A file system of an image for one container, which may write to it as far as its specification lets it.</summary>
    public async Task<string> MountAsync(string image, string name)
    {
        var directory = Directory.CreateDirectory(Path.Combine(_mesh.State.Directory, "roots", name)).FullName;
        await DoAsync("images", "mount", "--rw", image, directory);
        return directory;
    }

    /// <summary>Starts a container.</summary>
    /// <returns>The id of its first process.</returns>
    public async Task<int> StartAsync(string name, JsonObject spec, string log)
    {
        var file = Path.Combine(_directory, name + ".json");
        await File.WriteAllTextAsync(file, spec.ToJsonString(), _token);
        _containers.Add(name);
        await DoAsync("run", "--detach", "--config", file, "--log-uri", "file://" + log, name);
        return await ProcessAsync(name) ?? throw new InvalidOperationException($"{name} has no process.\n{LogTail.Read(log)}");
    }

    /// <summary>The id of a container's first process; <see langword="null"/> if it has ended.</summary>
    public async Task<int?> ProcessAsync(string name) =>
        (await DoAsync("tasks", "ls")).Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .FirstOrDefault(parts => parts.Length == 3 && parts[0] == name && parts[2] == "RUNNING") is { } found
            ? int.Parse(found[1], CultureInfo.InvariantCulture)
            : null;

    /// <summary>Runs a program in a container, as <c>kubectl exec</c> does.</summary>
    public Task<CommandResult> ExecuteAsync(string name, params IEnumerable<string> command) =>
        RunAsync(["tasks", "exec", "--exec-id", Guid.NewGuid().ToString("N"), name, .. command]);

    /// <summary>Ends a container as a kubelet does, and removes it and its file system.</summary>
    /// <returns>How long it took to end; the grace period if it had to be killed.</returns>
    public async Task<TimeSpan> StopAsync(string name, TimeSpan gracePeriod, CancellationToken cancellationToken)
    {
        var started = Time.GetTimestamp();
        await RunAsync(["tasks", "kill", "--signal", "SIGTERM", name]);
        while (await ProcessAsync(name) is not null && Time.GetElapsedTime(started) < gracePeriod)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), Time, cancellationToken);
        }

        var took = Time.GetElapsedTime(started);
        await RemoveAsync(name);
        return took;
    }

    /// <summary>Ends a container by force and removes it.</summary>
    public async Task RemoveAsync(string name)
    {
        _containers.Remove(name);
        await RunAsync(["tasks", "rm", "--force", name]);
        await RunAsync(["containers", "rm", name]);
        await RunAsync(["images", "unmount", "--rm", Path.Combine(_mesh.State.Directory, "roots", name)]);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var name in _containers.ToList())
        {
            await RemoveAsync(name);
        }

        Group.Remove();
    }

    // What stands between containerd and a container outlives both, so a run that crashed leaves it. It bears our socket's path.
    private void EndLeftovers()
    {
        foreach (var id in Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => name!.All(char.IsAsciiDigit)))
        {
            try
            {
                if (File.ReadAllText($"/proc/{id}/cmdline").Split('\0') is [var program, ..] arguments
                    && Path.GetFileName(program).StartsWith("containerd-shim", StringComparison.Ordinal) && arguments.Contains(_socket))
                {
                    OwnedProcess.Find(int.Parse(id!, CultureInfo.InvariantCulture))?.Signal(NativeMethods.SIGKILL);
                }
            }
            catch (IOException)
            {
                // It has ended meanwhile.
            }
        }
    }

    private async Task<IReadOnlyList<string>> ImagesAsync() =>
        (await DoAsync("images", "ls", "--quiet")).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private async Task<string> DoAsync(params IEnumerable<string> arguments) => (await RunAsync(arguments)).EnsureSuccess().Output;

    // Without a token of the test: also what removes things again comes this way.
    private Task<CommandResult> RunAsync(IEnumerable<string> arguments) =>
        Command.RunAsync("ctr", ["--address", _socket, .. arguments], CancellationToken.None);
}
