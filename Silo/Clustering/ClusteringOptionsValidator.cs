using System.Net;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Checks;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>Checks <see cref="ClusteringOptions"/>.</summary>
internal sealed class ClusteringOptionsValidator : IValidateOptions<ClusteringOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ClusteringOptions options) => new RangeCheck(ClusteringOptions.SectionName)
        .Holds(Enum.IsDefined(
            options.Provider), $"Clustering:Provider must be one of {string.Join(", ", Enum.GetNames<ClusteringProvider>())}.")
        .Holds(
            options.Provider != ClusteringProvider.Redis || options.Redis is { Length: > 0 },
            "Clustering:Redis is empty; give host:port of the Redis server that holds the membership.")
        .Holds(options.ClusterId is { Length: > 0 }, "Clustering:ClusterId is empty; silos with the same id form one mesh.")
        .Holds(
            IPAddress.TryParse(options.GatewayAddress, out _),
            $"Clustering:GatewayAddress '{options.GatewayAddress}' is not an IP address; 127.0.0.1 admits this machine only.")
        .Within(options.SiloPort, 1, ushort.MaxValue, nameof(options.SiloPort))
        .Within(options.GatewayPort, 0, ushort.MaxValue, nameof(options.GatewayPort))
        .Holds(options.SiloPort != options.GatewayPort, $"Clustering:SiloPort and GatewayPort are both {options.SiloPort}; each needs one of its own.")
        .Result;
}
