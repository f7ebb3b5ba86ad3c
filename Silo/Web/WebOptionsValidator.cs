using System.Net;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Checks;
using Orleans.WireGuard.Silo.Clustering;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>Checks <see cref="WebOptions"/>.</summary>
internal sealed class WebOptionsValidator(IOptions<ClusteringOptions> clustering) : IValidateOptions<WebOptions>
{
    private ClusteringOptions? Clustering => clustering.ValueOrNull();

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, WebOptions options) => new RangeCheck(WebOptions.SectionName)
        .Within(options.Port, 1, ushort.MaxValue, nameof(options.Port))
        .Holds(IPAddress.TryParse(
            options.Address, out _), $"Web:Address '{options.Address}' is not an IP address; 127.0.0.1 admits this machine only.")
        .Holds(options.Port != Clustering?.SiloPort, $"Web:Port and Clustering:SiloPort are both {options.Port}; each needs one of its own.")
        .Holds(options.Port != Clustering?.GatewayPort, $"Web:Port and Clustering:GatewayPort are both {options.Port}; each needs one of its own.")
        .Result;
}
