using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Silos;

/// <summary>What a silo says about itself at <c>/readyz</c>.</summary>
/// <param name="IsReady">Whether it answered 200.</param>
/// <param name="Reason">Why not; empty if it is.</param>
internal sealed record Readiness(bool IsReady, string Reason);

/// <summary>Asks silos whether they are ready, from inside their namespaces.</summary>
internal sealed class ReadinessProbe : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    private readonly MeshPlan _plan;
    private readonly Dictionary<NodePlan, HttpClient> _clients;

    /// <summary>Makes a probe for all nodes of a plan.</summary>
    public ReadinessProbe(MeshPlan plan)
    {
        _plan = plan;
        _clients = plan.Nodes.ToDictionary(n => n, n => new HttpClient(NamespaceHttp.CreateHandler(n.Namespace)) { Timeout = Timeout });
    }

    /// <summary>Asks one silo; an unreachable one is simply not ready.</summary>
    public async Task<Readiness> AskAsync(NodePlan node, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _clients[node]
                .GetAsync(new Uri($"http://{_plan.WebAddress(node)}:{MeshPlan.WebPort}/readyz"), cancellationToken);
            var body = (await response.Content.ReadAsStringAsync(cancellationToken)).Trim();
            return response.IsSuccessStatusCode
                ? new Readiness(true, "")
                : new Readiness(false, $"/readyz answered {(int)response.StatusCode}: {body}");
        }
        catch (Exception e) when (e is HttpRequestException or IOException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return new Readiness(false, "/readyz does not answer: " + e.GetBaseException().Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var client in _clients.Values)
        {
            client.Dispose();
        }
    }
}
