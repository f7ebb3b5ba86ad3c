using Orleans.Configuration;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Lets the gateway finish what it says to a client of another cluster.</summary>
/// <remarks>
/// It says to which cluster it belongs and closes the connection in the next moment, which takes back what has not been sent yet; then the
/// client learns nothing, and a wrong cluster looks like a dead gateway.
/// </remarks>
internal static class GatewayFarewell
{
    // A loopback or a cluster's network carries a hundred bytes in a fraction of it.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(100);

    /// <summary>Has every connection of the gateway that ends with a refusal wait a moment before it is closed.</summary>
    public static ISiloBuilder UseGatewayFarewell(this ISiloBuilder builder) => builder.Configure<SiloConnectionOptions>(options =>
        options.ConfigureGatewayInboundConnection(gateway => gateway.Use(next => async context =>
        {
            try
            {
                await next(context);
            }
            catch (InvalidOperationException)
            {
                // What Orleans throws for a client whom it does not take.
                await Task.Delay(Grace, TimeProvider.System, CancellationToken.None);
                throw;
            }
        })));
}
