namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>How announcements travel (section <c>Delivery</c>).</summary>
public sealed partial class DeliveryOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Delivery";

    /// <summary>
    /// How long a receiver may take to answer one attempt. Default: 1 second. Range: 10 ms to less than Orleans' response timeout, which is
    /// 10 seconds as the silo sets it.
    /// </summary>
    [Since("0.1")]
    public TimeSpan AttemptTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How often one round sends to a receiver that does not answer, with growing pauses from 100 ms on. Default: 5. Range: 1 to 20.
    /// </summary>
    [Since("0.1")]
    public int MaxAttempts { get; set; } = 5;

    /// <summary>
    /// How often the PeerGrain looks for active silos that have not acknowledged. Default: 1 second. Range: 100 ms to 1 minute.
    /// </summary>
    [Since("0.1")]
    public TimeSpan LaggardInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How often a silo compares digests with others, so that whatever was lost heals. Default: 3 seconds. Range: 100 ms to 1 minute.
    /// </summary>
    [Since("0.1")]
    public TimeSpan AntiEntropyInterval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>With how many random silos it compares each time. Default: 2. Range: 1 to 16.</summary>
    [Since("0.1")]
    public int AntiEntropyFanOut { get; set; } = 2;
}
