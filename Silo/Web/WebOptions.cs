namespace Orleans.WireGuard.Silo.Web;

/// <summary>The HTTP server for health and the dashboard page (section <c>Web</c>).</summary>
public sealed class WebOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Web";

    /// <summary>Address on which it listens. Default: 127.0.0.1. It has no authentication.</summary>
    [Since("0.1")]
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>
    /// TCP port. Default: 8080. Range: 1 to 65535, but neither <c>Clustering:SiloPort</c> nor <c>Clustering:GatewayPort</c>.
    /// </summary>
    [Since("0.1")]
    public int Port { get; set; } = 8080;
}
