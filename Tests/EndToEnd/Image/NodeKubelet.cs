using System.Globalization;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Unit.Deploy;
using YamlDotNet.RepresentationModel;

namespace Orleans.WireGuard.Tests.EndToEnd.Image;

/// <summary>Does on one node what its kubelet does with the pods of our DaemonSets.</summary>
/// <param name="mesh">The nodes.</param>
/// <param name="host">Runs containers.</param>
/// <param name="node">Which one.</param>
/// <param name="configMaps">The data of each, by name.</param>
/// <param name="variables">Those that a kubelet gives every container.</param>
internal sealed class NodeKubelet(
    MeshHarness mesh,
    ContainerHost host,
    NodePlan node,
    IReadOnlyDictionary<string, YamlMappingNode> configMaps,
    IReadOnlyDictionary<string, string> variables)
{
    private static readonly TimeProvider Time = TimeProvider.System;
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    private int _generation;

    /// <summary>The node.</summary>
    public NodePlan Node => node;

    /// <summary>Names of its containers, by the manifest's.</summary>
    public Dictionary<string, string> Running { get; } = [];

    /// <summary>A container's first process.</summary>
    public async Task<ContainerProcess> ProcessAsync(string container) => new((await IdAsync(container)).GetValueOrDefault());

    /// <summary>The id of a container's first process; <see langword="null"/> if it has ended.</summary>
    public Task<int?> IdAsync(string container) => host.ProcessAsync(Running[container]);

    /// <summary>What a container has written.</summary>
    public string LogOf(string container) => LogTail.Read(Log(Running[container]), 20);

    /// <summary>Starts a container of a pod.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="container">Which of its containers.</param>
    /// <param name="image">Name of the image.</param>
    /// <param name="change">Takes something away from what the manifest gives.</param>
    public async Task StartAsync(PodManifest pod, ContainerManifest container, string image, Action<JsonObject>? change = null)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{node.Namespace}-{container.Name}-{++_generation}");
        var spec = ContainerSpec.Build(
            await host.TemplateAsync(image, container.Capabilities),
            container,
            new Dictionary<string, string>(variables) { ["$spec.nodeName"] = node.Name, ["$status.hostIP"] = node.Address.ToString() },
            Sources(pod),
            await host.MountAsync(image, name),
            NetworkNamespace.HandleOf(node.Namespace),
            $"{host.Group.Name}/{name}");
        change?.Invoke(spec);
        Running[container.Name] = name;
        await host.StartAsync(name, spec, Log(name));
    }

    /// <summary>Ends a container as at a roll-out.</summary>
    /// <returns>How long it took.</returns>
    public Task<TimeSpan> StopAsync(PodManifest pod, ContainerManifest container, CancellationToken cancellationToken) =>
        host.StopAsync(Running[container.Name], pod.GracePeriod, cancellationToken);

    /// <summary>Removes a container that has ended, or ends it by force.</summary>
    public Task RemoveAsync(ContainerManifest container) => host.RemoveAsync(Running[container.Name]);

    /// <summary>Runs a program in a container.</summary>
    public Task<CommandResult> ExecuteAsync(ContainerManifest container, params IEnumerable<string> command) =>
        host.ExecuteAsync(Running[container.Name], command);

    /// <summary>Asks a probe once, from the node's network as a kubelet does.</summary>
    /// <returns>Whether it succeeded, and the answer.</returns>
    public async Task<(bool IsSuccess, string Answer)> AskAsync(HttpProbe probe, CancellationToken cancellationToken)
    {
        using var handler = NamespaceHttp.CreateHandler(node.Namespace);
        using var client = new HttpClient(handler) { Timeout = probe.Timeout };
        try
        {
            using var answer = await client.GetAsync(probe.Address, cancellationToken);
            return (answer.IsSuccessStatusCode, (await answer.Content.ReadAsStringAsync(cancellationToken)).Trim());
        }
        catch (Exception e) when (e is HttpRequestException or IOException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return (false, e.GetBaseException().Message);
        }
    }

    /// <summary>Waits until a probe succeeds; a container that has ended, or a limit that is over, is a failure.</summary>
    /// <returns>How long it took.</returns>
    public async Task<TimeSpan> UntilAsync(
        ContainerManifest container, HttpProbe probe, TimeSpan limit, CancellationToken cancellationToken)
    {
        var started = Time.GetTimestamp();
        while (await AskAsync(probe, cancellationToken) is (false, var answer))
        {
            Assert.True(
                Time.GetElapsedTime(started) < limit && await IdAsync(container.Name) is not null,
                $"{node.Name}: {probe.Address.AbsolutePath} after {Time.GetElapsedTime(started).TotalSeconds:0} s: {answer}\n{LogOf(container.Name)}");
            await Task.Delay(Poll, Time, cancellationToken);
        }

        return Time.GetElapsedTime(started);
    }

    private string Log(string name) => Path.Combine(mesh.State.NodeDirectory(node), name + ".log");

    /// <summary>What is mounted, by volume.</summary>
    private Dictionary<string, string> Sources(PodManifest pod)
    {
        var sources = pod.Volumes.ToDictionary(volume => volume.Key, volume => Source(volume.Value));
        if (pod.HasToken)
        {
            sources[ContainerSpec.TokenVolume] = Path.Combine(mesh.State.Directory, "serviceaccount");
        }

        return sources;
    }

    private string Source(YamlMappingNode volume)
    {
        PodManifest.Strictly(volume, "name", "configMap", "hostPath");
        if (volume.Children.ContainsKey("configMap"))
        {
            var name = Manifests.Text(volume, "configMap", "name");
            var directory = Directory.CreateDirectory(Path.Combine(mesh.State.NodeDirectory(node), "configmap-" + name)).FullName;
            foreach (var (file, text) in ((YamlMappingNode)configMaps[name]["data"]).Children)
            {
                File.WriteAllText(Path.Combine(directory, ((YamlScalarNode)file).Value!), ((YamlScalarNode)text).Value);
            }

            return directory;
        }

        // Devices are the machine's; of directories every node has its own.
        var path = Manifests.Text(volume, "hostPath", "path");
        return Manifests.Text(volume, "hostPath", "type") switch
        {
            "CharDevice" => path,
            "DirectoryOrCreate" => Directory.CreateDirectory(mesh.State.NodeDirectory(node) + "/host" + path).FullName,
            var type => throw new NotSupportedException($"A host path of type {type}: teach this test."),
        };
    }
}
