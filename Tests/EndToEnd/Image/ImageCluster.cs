using Orleans.WireGuard.LocalMesh.ApiServer;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Unit.Deploy;
using YamlDotNet.RepresentationModel;

namespace Orleans.WireGuard.Tests.EndToEnd.Image;

/// <summary>
/// Two nodes on which the image of <c>make image</c> runs under containerd and runc as <c>overlays/userspace</c>, rendered by kubectl,
/// says. Membership and nodes are in the test API server, and the silos have a token of the account of <c>deploy/base</c>.
/// </summary>
public sealed class ImageCluster : IAsyncLifetime
{
    private static readonly TimeProvider Time = TimeProvider.System;

    private MeshHarness? _mesh;
    private ContainerHost? _host;
    private KubernetesMeshBuilder? _api;

    /// <summary>The archive that <c>make image</c> makes.</summary>
    internal static string Archive { get; } = RepositoryFiles.Find("artifacts/image/orleans-wireguard-userspace.tar");

    /// <summary>Why this machine cannot; <see langword="null"/> if it can.</summary>
    internal static string? ReasonToSkip { get; } = LocalMeshCollection.ReasonToSkip
        ?? (((string[])["containerd", "ctr", "runc"]).FirstOrDefault(program => Command.Find(program) is null) is { } missing
            ? $"{missing} is not installed (Debian: apt-get install containerd runc)"
            : File.Exists(Archive) ? null : $"{Archive} is missing: make image");

    internal MeshHarness Mesh => _mesh ?? throw new InvalidOperationException("The machine cannot; the test should have been skipped.");

    internal ContainerHost Host => _host!;

    internal IReadOnlyList<NodeKubelet> Kubelets { get; private set; } = [];

    /// <summary>The DaemonSet of the silo.</summary>
    internal PodManifest SiloPod { get; private set; } = null!;

    /// <summary>The same with <see cref="NextSettings"/>.</summary>
    internal PodManifest NextSiloPod { get; private set; } = null!;

    /// <summary>Settings that differ from those that are shipped.</summary>
    internal static string NextSettings { get; } = Manifests.ConfigurationText.Replace(
        "\"AntiEntropyFanOut\": 2", "\"AntiEntropyFanOut\": 3", StringComparison.Ordinal);

    /// <summary>The silo's only container.</summary>
    internal ContainerManifest Silo => SiloPod.Containers[0];

    /// <summary>The DaemonSet of the devices.</summary>
    internal PodManifest DevicePod { get; private set; } = null!;

    /// <summary>Name of the image.</summary>
    internal string Image { get; private set; } = "";

    /// <summary>The same under the tag of an upgrade.</summary>
    internal string NextImage => Image + "-next";

    /// <summary>From the start of a container to readiness, and what else was measured.</summary>
    internal List<(string What, string Value)> Measured { get; } = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (ReasonToSkip is not null)
        {
            return;
        }

        var plan = new MeshPlan("owgi", 2, 112, 239);
        _mesh = await MeshHarness.CreateAsync(plan, MeshState.For(plan), Time, TestContext.Current.SendDiagnosticMessage, Token);
        _host = await ContainerHost.StartAsync(_mesh, Token);
        _api = await KubernetesMeshBuilder.CreateAsync(_mesh, kubeConfig: null, TimeSpan.Zero, Time, Token);
        var account = Directory.CreateDirectory(Path.Combine(_mesh.State.Directory, "serviceaccount")).FullName;
        File.Copy(_mesh.State.ApiToken, Path.Combine(account, "token"));
        File.Copy(_mesh.State.ApiAuthority, Path.Combine(account, "ca.crt"));
        await File.WriteAllTextAsync(Path.Combine(account, "namespace"), _api.MembershipNamespace, Token);
        foreach (var node in plan.Nodes)
        {
            await _api.Objects.AddAsync(plan, node, Token);
        }

        using var copy = new DeployCopy();
        var (pods, present) = await RenderAsync(copy);
        copy.Write(DeployCopy.SettingsFile, NextSettings);
        var (nextPods, next) = await RenderAsync(copy);
        (SiloPod, NextSiloPod, DevicePod) = (pods["orleans-wireguard"], nextPods["orleans-wireguard"], pods["orleans-wireguard-device"]);
        var variables = new Dictionary<string, string>
        {
            ["KUBERNETES_SERVICE_HOST"] = _api.ServerAddress.Host,
            ["KUBERNETES_SERVICE_PORT"] = $"{_api.ServerAddress.Port}",
        };

        // Those of former revisions stay in a cluster.
        var configMaps = present.Concat(next).ToDictionary(map => Manifests.Text(map, "metadata", "name"));
        Kubelets = [.. plan.Nodes.Select(node => new NodeKubelet(_mesh, _host, node, configMaps, variables))];
        Image = await _host.ImportAsync(Archive);
        await _host.TagAsync(Image, NextImage);
        await StartAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var disposable in (IAsyncDisposable?[])[_host, _api, _mesh])
        {
            if (disposable is not null)
            {
                await disposable.DisposeAsync();
            }
        }
    }

    /// <summary>Starts a silo and waits for the probes of the manifest.</summary>
    internal Task StartSiloAsync(NodeKubelet kubelet, string image, string what) => StartSiloAsync(kubelet, SiloPod, image, what);

    /// <summary>Starts the silo of a revision and waits for the probes of the manifest.</summary>
    internal async Task StartSiloAsync(NodeKubelet kubelet, PodManifest pod, string image, string what)
    {
        var started = Time.GetTimestamp();
        await kubelet.StartAsync(pod, pod.Containers[0], image);
        await UntilReadyAsync(kubelet);
        var took = Time.GetElapsedTime(started);
        Measured.Add(($"{kubelet.Node.Name}: {what}, start until ready", $"{took.TotalSeconds:0.0} s"));
    }

    /// <summary>Waits for the probes of the manifest, in a kubelet's order.</summary>
    internal async Task UntilReadyAsync(NodeKubelet kubelet)
    {
        var (startup, readiness) = (Silo.Probes["startupProbe"], Silo.Probes["readinessProbe"]);
        await kubelet.UntilAsync(Silo, startup, startup.Period * startup.FailureThreshold, Token);
        await kubelet.UntilAsync(Silo, readiness, MeshStarter.TimeoutFor(Mesh.Plan), Token);
    }

    /// <summary>Starts the device containers of a node.</summary>
    internal async Task StartDevicesAsync(NodeKubelet kubelet)
    {
        foreach (var container in DevicePod.Containers)
        {
            await kubelet.StartAsync(DevicePod, container, Image);
        }
    }

    private static async Task<(Dictionary<string, PodManifest> Pods, IEnumerable<YamlMappingNode> ConfigMaps)> RenderAsync(DeployCopy copy)
    {
        var (code, rendered) = await Kubectl.RunAsync(null, ["kustomize", Path.Combine(copy.Root, "overlays", "userspace")]);
        Assert.True(code == 0, rendered);
        var documents = Manifests.Parse(rendered).ToLookup(document => Manifests.Text(document, "kind"));
        return (documents["DaemonSet"].Select(PodManifest.Read).ToDictionary(pod => pod.Name), documents["ConfigMap"]);
    }

    /// <summary>Counts packets between the pods.</summary>
    /// <remarks>At a rate that a container carries with its share of the processor: a control group gives no real-time priority.</remarks>
    internal PacketMeter Meter() => new([.. Mesh.Plan.Nodes.Select(MeterEndpoint.OfPod)], Time, rate: 500);

    // On the first node the devices are there before the silo; on the second it is the other way round, as Kubernetes promises no order.
    private async Task StartAsync()
    {
        var (first, second) = (Kubelets[0], Kubelets[1]);
        await StartDevicesAsync(first);
        await StartSiloAsync(first, Image, "alone in its mesh");
        await second.StartAsync(SiloPod, Silo, Image);
        var startup = Silo.Probes["startupProbe"];
        await second.UntilAsync(Silo, startup, startup.Period * startup.FailureThreshold, Token);
        string? answer = null;
        for (var started = Time.GetTimestamp(); Time.GetElapsedTime(started) < TimeSpan.FromSeconds(30);)
        {
            (_, answer) = await second.AskAsync(Silo.Probes["readinessProbe"], Token);
            if (answer.Contains("nothing answers at /var/run/wireguard/cilium_wg0.sock", StringComparison.Ordinal))
            {
                break;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), Time, Token);
        }

        Assert.Contains("in Kubernetes the DaemonSet orleans-wireguard-device does", answer, StringComparison.Ordinal);
        var devices = Time.GetTimestamp();
        await StartDevicesAsync(second);
        await UntilReadyAsync(second);
        Measured.Add((second.Node.Name
            + ": silo that waited, start of the devices until ready", $"{Time.GetElapsedTime(devices).TotalSeconds:0.0} s"));
    }
}
