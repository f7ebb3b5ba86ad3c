namespace Orleans.WireGuard.Grains.Hosting;

/// <summary>When and how keys rotate (section <c>Rotation</c>).</summary>
public sealed class RotationOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Rotation";

    /// <summary>Length of an epoch: every node makes a new key in each. Default: 120 seconds. Range: 1 second to 1 day.</summary>
    public TimeSpan Period { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>
    /// How long the node's own device may take to accept a new key before the rotation counts as failed and is tried again.
    /// Default: 5 seconds. Range: 100 ms to 1 minute.
    /// </summary>
    public TimeSpan ApplyTimeout { get; set; } = TimeSpan.FromSeconds(5);
}
