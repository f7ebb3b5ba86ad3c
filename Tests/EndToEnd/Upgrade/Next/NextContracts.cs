// Part of the silo only in a build with VARIANT_NEXT, for the upgrade tests: what a next release would add.
#if VARIANT_NEXT
namespace Orleans.WireGuard.Grains.Delivery;

internal partial interface IPeerService
{
    /// <summary>A call that the release before does not know.</summary>
    [Alias("Greet")]
    Task<string> Greet();
}

internal sealed partial class PeerServiceClient
{
    /// <inheritdoc cref="IPeerService.Greet"/>
    public Task<string> GreetAsync(SiloAddress silo) => GetGrainService(silo).Greet();
}

public sealed partial class DeliveryOptions
{
    /// <summary>A setting that the release before does not know. Default: 1 second.</summary>
    [Since("98.0")]
    public TimeSpan GreetingInterval { get; set; } = TimeSpan.FromSeconds(1);
}
#endif
