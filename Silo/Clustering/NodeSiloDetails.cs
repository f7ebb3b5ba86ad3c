using System.Net;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>What Orleans knows of its own silo, with the generation that was chosen.</summary>
internal sealed class NodeSiloDetails(
    IOptions<SiloOptions> silo, IOptions<ClusterOptions> cluster, IOptions<EndpointOptions> endpoints, SiloGeneration generation)
        : ILocalSiloDetails
{
    /// <inheritdoc/>
    public string Name => silo.Value.SiloName;

    /// <inheritdoc/>
    public string ClusterId => cluster.Value.ClusterId;

    /// <inheritdoc/>
    public string DnsHostName { get; } = Dns.GetHostName();

    /// <inheritdoc/>
    public SiloAddress SiloAddress =>
        field ??= SiloAddress.New(endpoints.Value.AdvertisedIPAddress, endpoints.Value.SiloPort, generation.Value);

    /// <inheritdoc/>
    /// <remarks>Null without a gateway, whatever the interface says.</remarks>
    public SiloAddress GatewayAddress => endpoints.Value.GatewayPort == 0
        ? null!
        : field ??= SiloAddress.New(endpoints.Value.AdvertisedIPAddress, endpoints.Value.GatewayPort, 0);
}
