namespace Orleans.WireGuard.Silo.Web;

/// <summary>The HTTP server for health and the dashboard page (section <c>Web</c>).</summary>
public sealed class WebOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Web";

    /// <summary>Address on which it listens. Default: 127.0.0.1. It has no authentication.</summary>
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>
    /// TCP port. Default: 8080. Range: 1 to 65535, but neither <c>Clustering:SiloPort</c> nor <c>Clustering:GatewayPort</c>.
    /// </summary>
    public int Port { get; set; } = 8080;
}

/// <summary>The Orleans Dashboard (section <c>Dashboard</c>). Nothing of it is there unless it is asked for.</summary>
public sealed class DashboardPageOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Dashboard";

    /// <summary>
    /// Whether this silo serves the page at <c>/dashboard/</c>. Default: false, since the page costs 52 MB of memory. It shows the silos
    /// that have <see cref="Counters"/>.
    /// </summary>
    public bool Enabled { get; set; }

    /// <summary>
    /// Whether this silo counts its calls for a page, which costs some 5 MB and a fifth of its time at rest. Default: false. A silo that
    /// serves the page counts in any case.
    /// </summary>
    public bool Counters { get; set; }
}
