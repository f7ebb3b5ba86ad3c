namespace Orleans.WireGuard.Silo.Web;

/// <summary>The Orleans Dashboard (section <c>Dashboard</c>). Nothing of it is there unless it is asked for.</summary>
public sealed class DashboardPageOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Dashboard";

    /// <summary>
    /// Whether this silo serves the page at <c>/dashboard/</c>. Default: false, since the page costs 52 MB of memory. It shows the silos
    /// that have <see cref="Counters"/>.
    /// </summary>
    [Since("0.1")]
    public bool Enabled { get; set; }

    /// <summary>
    /// Whether this silo counts its calls for a page, which costs some 5 MB and a fifth of its time at rest. Default: false. A silo that
    /// serves the page counts in any case.
    /// </summary>
    [Since("0.1")]
    public bool Counters { get; set; }
}
