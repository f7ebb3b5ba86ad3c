using System.Globalization;
using System.Text.RegularExpressions;
using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Unit.Deploy;

namespace Orleans.WireGuard.Tests.EndToEnd.Image;

/// <summary>The image, as a kubelet and containerd run it from the manifest itself. Nothing here gives it more than that.</summary>
[Trait("Kind", "Image")]
[Collection(LocalMeshCollection.Name)]
public sealed partial class ImageTests(ImageCluster cluster, ITestOutputHelper output) : IClassFixture<ImageCluster>
{
    /// <summary>Largest image without wireguard-go, compressed, in millions of bytes.</summary>
    private const double MaxSize = 65;

    // The only bit of it is NET_ADMIN, number 12 (capabilities(7)).
    private const string NetAdmin = "0000000000001000";

    private static readonly TimeProvider Time = TimeProvider.System;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Image_Layers_AreNoLargerThanTheyHaveToBe()
    {
        SkipUnlessPossible();
        foreach (var archive in (string[])[RepositoryFiles.Find("artifacts/image/orleans-wireguard.tar"), ImageCluster.Archive])
        {
            var sizes = (await Command.RunAsync(RepositoryFiles.Find("deploy/image/sizes"), [archive], Token)).EnsureSuccess().Output;
            output.WriteLine(sizes);
            var size = double.Parse(Sum().Match(sizes).Groups[1].Value, CultureInfo.InvariantCulture);
            Assert.True(archive == ImageCluster.Archive || size <= MaxSize, $"{size} MB compressed.");
        }
    }

    [Fact]
    public async Task Containers_Rights_AreNetAdminAndTheSockets()
    {
        SkipUnlessPossible();
        foreach (var kubelet in cluster.Kubelets)
        {
            foreach (var container in cluster.SiloPod.Containers.Concat(cluster.DevicePod.Containers))
            {
                var process = await kubelet.ProcessAsync(container.Name);
                var mounted = container.Mounts.Select(mount => mount.Path.Replace("/var/run/", "/run/", StringComparison.Ordinal))
                    .ToHashSet();

                // The rest is what the runtime mounts for every container.
                var writable = process.Mounts.Where(mount => mount.Value).Select(mount => mount.Key)
                    .Where(path => mounted.Contains(path) || !OfTheRuntime().IsMatch(path)).Order().ToList();
                output.WriteLine(
                    $"{kubelet.Node.Name} {container.Name,-8} CapEff {process.Status("CapEff")}, no new privileges {process.Status("NoNewPrivs")}, seccomp {process.Status("Seccomp")}, writable {string.Join(' ', writable)}");
                Assert.All((string[])["CapEff", "CapPrm", "CapBnd"], set => Assert.Equal(NetAdmin, process.Status(set)));
                Assert.All((string[])["CapInh", "CapAmb"], set => Assert.Equal(new string('0', NetAdmin.Length), process.Status(set)));
                Assert.Equal(("1", "2"), (process.Status("NoNewPrivs"), process.Status("Seccomp")));
                Assert.False(process.Mounts["/"], "the root file system can be written");
                Assert.Equal(container == cluster.Silo ? ["/run/wireguard"] : ["/dev/net/tun", "/run/wireguard"], writable);
            }
        }
    }

    [Fact]
    public async Task Silo_OneCapabilityLess_DoesNotStart()
    {
        SkipUnlessPossible();
        var kubelet = cluster.Kubelets[1];
        await kubelet.StopAsync(cluster.SiloPod, cluster.Silo, Token);
        await kubelet.StartAsync(cluster.SiloPod, cluster.Silo, cluster.Image, spec => spec["process"]!.AsObject().Remove("capabilities"));
        await UntilAsync(async () => await kubelet.IdAsync(cluster.Silo.Name) is null, "the silo to end");
        Assert.Contains("The capability CAP_NET_ADMIN is missing", kubelet.LogOf(cluster.Silo.Name), StringComparison.Ordinal);
        await kubelet.RemoveAsync(cluster.Silo);
        await cluster.StartSiloAsync(kubelet, cluster.Image, "back with its capability");
    }

    [Fact]
    public async Task Pods_Traffic_IsEncryptedAndStatusIsGood()
    {
        SkipUnlessPossible();
        await UntilReachableAsync();
        var capture = await PacketCapture.StartAsync(cluster.Mesh, "image", Time, Token);
        await using var meter = cluster.Meter();
        await Task.Delay(TimeSpan.FromSeconds(10), Time, Token);
        var report = await meter.StopAsync(Token);
        var (tally, dropped) = await capture.StopAsync(new FrameClassifier(cluster.Mesh.Plan, default), Token);
        output.WriteLine(report.ToString());
        output.WriteLine($"on the underlay: {tally}; {dropped} dropped by the kernel");
        Assert.Equal(0, report.Lost);
        Assert.True(tally[FrameKind.WireGuard] >= report.Sent, "the packets did not go through the tunnel");
        Assert.True(tally.IsClean, string.Join('\n', tally.Examples));

        await UntilAsync(
            async () =>
                (await cluster.Kubelets[0].ExecuteAsync(cluster.Silo, "/app/owg", "status")).ExitCode == 0, "owg status to end with 0");
        output.WriteLine((await cluster.Kubelets[0].ExecuteAsync(cluster.Silo, "/app/owg", "status")).Output);
        foreach (var kubelet in cluster.Kubelets)
        {
            foreach (var container in cluster.SiloPod.Containers.Concat(cluster.DevicePod.Containers))
            {
                var process = await kubelet.ProcessAsync(container.Name);
                output.WriteLine(
                    $"{kubelet.Node.Name} {container.Name,-8} resident {process.ResidentSize >> 20,4} MiB, working set {process.WorkingSet >> 20,4} MiB of {container.MemoryLimit >> 20} MiB");
                Assert.InRange(process.WorkingSet, 1, container.MemoryLimit / 4 * 3);
            }
        }
    }

    [Fact]
    public async Task Silos_UpgradeAndUndo_LoseNothing()
    {
        SkipUnlessPossible();
        await UntilReachableAsync();
        var devices = await DeviceIdsAsync();
        await using var meter = cluster.Meter();
        (PodManifest, string, string, string)[] revisions =
        [
            (cluster.NextSiloPod, cluster.NextImage, ImageCluster.NextSettings, "upgraded"),
            (cluster.SiloPod, cluster.Image, Manifests.ConfigurationText, "undone"),
        ];
        foreach (var (pod, image, settings, what) in revisions)
        {
            foreach (var kubelet in cluster.Kubelets)
            {
                var took = await kubelet.StopAsync(cluster.SiloPod, cluster.Silo, Token);
                Assert.True(took < cluster.SiloPod.GracePeriod, "the silo had to be killed");
                await cluster.StartSiloAsync(kubelet, pod, image, what);
                Assert.Equal(settings, (await kubelet.ProcessAsync(cluster.Silo.Name)).Read("/etc/orleans-wireguard/owg.json"));
                Assert.True((await kubelet.AskAsync(cluster.Silo.Probes["livenessProbe"], Token)).IsSuccess);
            }
        }

        var report = await meter.StopAsync(Token);
        output.WriteLine(report.ToString());
        output.WriteLine(string.Join('\n', cluster.Measured.Select(item => $"{item.What,-70} {item.Value}")));
        Assert.Equal(devices, await DeviceIdsAsync());
        Assert.Equal(0, report.Lost);
    }

    [Fact]
    public async Task Devices_Killed_AreStartedAgainAndConfiguredAnew()
    {
        SkipUnlessPossible();
        await UntilReachableAsync();
        var kubelet = cluster.Kubelets[1];
        var killed = Time.GetTimestamp();
        foreach (var container in cluster.DevicePod.Containers)
        {
            OwnedProcess.Find((await kubelet.IdAsync(container.Name))!.Value)!.Signal(NativeMethods.SIGKILL);
            await kubelet.RemoveAsync(container);
        }

        await cluster.StartDevicesAsync(kubelet);
        var back = Time.GetElapsedTime(killed);
        await UntilReachableAsync();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"devices killed: running again after {back.TotalSeconds:0.0} s, pods reach each other after {Time.GetElapsedTime(killed).TotalSeconds:0.0} s"));
        await cluster.UntilReadyAsync(kubelet);
    }

    private static void SkipUnlessPossible() => Assert.SkipWhen(ImageCluster.ReasonToSkip is not null, ImageCluster.ReasonToSkip ?? "");

    private async Task<IReadOnlyList<int?>> DeviceIdsAsync()
    {
        var ids = new List<int?>();
        foreach (var kubelet in cluster.Kubelets)
        {
            foreach (var container in cluster.DevicePod.Containers)
            {
                ids.Add(await kubelet.IdAsync(container.Name));
            }
        }

        return ids;
    }

    // Both ways, by pings that are sent from now on.
    private async Task UntilReachableAsync()
    {
        var ledger = new PingLedger();
        await using var pinger = new PodPinger(cluster.Mesh.Plan, ledger, new byte[16], TimeSpan.FromMilliseconds(100), Time);
        var since = Time.GetUtcNow();
        await UntilAsync(
            () => Task.FromResult(cluster.Mesh.Plan.OrderedPairs
                .All(pair => ledger.LastAnswered(new NodePair(pair.From.Name, pair.To.Name)) >= since)),
            "pods to reach each other");
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var began = Time.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Time.GetElapsedTime(began) < Patience, $"Waited {Patience.TotalSeconds} s in vain for {what}.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), Time, Token);
        }
    }

    [GeneratedRegex(@"(?m)^  all .* ([0-9.]+) MB$")]
    private static partial Regex Sum();

    [GeneratedRegex("^/(proc|dev|sys)(/|$)")]
    private static partial Regex OfTheRuntime();
}
