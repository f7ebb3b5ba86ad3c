using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Messaging;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Membership;

/// <summary>Tells an Orleans client the gateways: active silos with a gateway port, from the same custom resource.</summary>
internal sealed class KubernetesGatewayListProvider(KubernetesApi api, IOptions<ClusterOptions> cluster, IOptions<GatewayOptions> gateways)
    : IGatewayListProvider
{
    private readonly string _clusterId = cluster.Value.ClusterId;

    /// <inheritdoc/>
    public TimeSpan MaxStaleness { get; } = gateways.Value.GatewayListRefreshPeriod;

    /// <inheritdoc/>
    public bool IsUpdatable => true;

    /// <summary>Proves that the table may be read, so that a wrong configuration shows at once.</summary>
    /// <inheritdoc/>
    public Task InitializeGatewayListProviderAsync(CancellationToken cancellationToken = default) => GetGatewaysAsync(cancellationToken);

    /// <summary>Empty as long as no silo has created the table.</summary>
    /// <inheritdoc/>
    public async Task<IList<Uri>> GetGatewaysAsync(CancellationToken cancellationToken = default)
    {
        var call = new ApiCall("get", ApiResource.OrleansClusters, api.Namespace, ObjectNames.Cluster(_clusterId));
        try
        {
            var source = await api.SendAsync(call, ClusteringJson.Compact.OrleansCluster, cancellationToken);
            return [.. MembershipDocument.Read(source, _clusterId).Rows
                .Where(row => row is { Status: SiloStatus.Active, ProxyPort: not 0 })
                .Select(row => SiloAddress.New(row.SiloAddress.Endpoint.Address, row.ProxyPort, row.SiloAddress.Generation)
                .ToGatewayUri())];
        }
        catch (KubernetesApiException missing) when (missing.Failure == ApiFailure.NotFound)
        {
            return [];
        }
    }

    Task IGatewayListProvider.InitializeGatewayListProvider() => InitializeGatewayListProviderAsync();

    Task<IList<Uri>> IGatewayListProvider.GetGateways() => GetGatewaysAsync();
}
