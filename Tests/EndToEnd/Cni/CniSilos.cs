using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>The silos of a cluster: what the base and an overlay give them, and the objects of their cluster.</summary>
internal static class CniSilos
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    /// <summary>Starts API server and silos.</summary>
    /// <param name="cluster">Its nodes.</param>
    /// <param name="settings">Variables besides those of the base.</param>
    /// <param name="token">Stops it.</param>
    public static async Task StartAsync(CniCluster cluster, IReadOnlyDictionary<string, string> settings, CancellationToken token)
    {
        var api = new ApiCluster { Address = CniPlan.Mesh.HostAddress };
        cluster.Api = api;
        await api.InitializeAsync();
        await CreateObjectsAsync(api, cluster.Kind, token);
        cluster.Mesh.InstallBinary(LocalMeshCollection.Binary);
        var variables = settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value);
        var period = QuietPeriod.Choose(TimeProvider.System.GetUtcNow(), Quiet, index: 0);
        foreach (var node in CniPlan.Mesh.Nodes)
        {
            var configuration = await KubernetesMesh.ConfigurationAsync(cluster.Mesh, api, node, period);
            await File.WriteAllTextAsync(cluster.Mesh.State.SiloConfiguration(node), configuration.ToJsonString(), token);
            cluster.Mesh.StartSilo(node, variables);
        }
    }

    /// <summary>Waits until all are ready.</summary>
    /// <returns>What the first says that is not, after some time; empty if all are.</returns>
    public static async Task<string> UntilReadyAsync(CniCluster cluster, TimeSpan patience, CancellationToken token)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var answers = await Task.WhenAll(CniPlan.Mesh.Nodes.Select(async node =>
                (Node: node,
                    Answer: await cluster.Mesh.AskReadyAsync(node, token),
                    IsGone: cluster.Mesh.Silo(node) is { IsAlive: false })));
            if (answers.FirstOrDefault(answer => answer.IsGone) is { Node: { } gone })
            {
                throw new MeshFailedException($"The silo of {gone.Name} has ended:\n{LogTail.Read(cluster.Mesh.State.SiloLog(gone), 100)}");
            }

            if (answers.All(answer => answer.Answer.IsReady))
            {
                return "";
            }

            if (TimeProvider.System.GetElapsedTime(started) > patience)
            {
                return string.Join('\n', answers.Where(answer => !answer.Answer.IsReady)
                    .Select(answer => $"{answer.Node.Name}: {answer.Answer.Reason}"));
            }

            await Task.Delay(Poll, TimeProvider.System, token);
        }
    }

    /// <summary>The codes that any node has.</summary>
    /// <returns>Them, and everything that was said.</returns>
    public static async Task<(IReadOnlyList<string> Codes, string Text)> FindAsync(CniCluster cluster, CancellationToken token)
    {
        var doctor = await cluster.Mesh.RunAsync(CniPlan.Mesh.Nodes[0], token, "owg", "doctor", "--all", "-o", "json");
        try
        {
            using var document = JsonDocument.Parse(doctor.Output);
            return ([.. document.RootElement.EnumerateArray()
                .SelectMany(node => node.TryGetProperty("findings", out var found) ? found.EnumerateArray() : default)
                .Select(finding => finding.GetProperty("code").GetString()!).Distinct().Order(StringComparer.Ordinal)], doctor.Output);
        }
        catch (JsonException)
        {
            return (["?"], doctor.Output + doctor.Error);
        }
    }

    private static async Task CreateObjectsAsync(ApiCluster api, CniKind kind, CancellationToken token)
    {
        foreach (var definition in kind.Definitions)
        {
            await api.PostAsync("apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
        }

        // Where objects of plugins are.
        _ = await api.SendAsync(
            HttpMethod.Post, "api/v1/namespaces", new JsonObject { ["metadata"] = new JsonObject { ["name"] = "kube-system" } });
        foreach (var (collection, body) in CniPlan.Mesh.Nodes.SelectMany(kind.Objects))
        {
            while ((await api.SendAsync(HttpMethod.Get, collection)).Code == HttpStatusCode.NotFound)
            {
                await Task.Delay(Poll, TimeProvider.System, token);
            }

            await api.PostAsync(collection, body);
        }
    }
}
