namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>When and how keys rotate (section <c>Rotation</c>).</summary>
public sealed class RotationOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Rotation";

    /// <summary>Length of an epoch: every node makes a new key in each. Default: 120 seconds. Range: 1 second to 1 day.</summary>
    [Since("0.1")]
    public TimeSpan Period { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>
    /// How many keys, each with a device and a UDP port of its own, a node uses in turn. Default: 2, which loses no packet. Range: 1 or 2;
    /// with 1 there is only <c>cilium_wg0</c>, and every rotation has a gap of one notification and one handshake. The same on every node
    /// of a mesh.
    /// </summary>
    [Since("0.1")]
    public int Slots { get; set; } = Slot.Count;

    /// <summary>
    /// How long a slot must have been quiet before its key is destroyed or replaced; an eighth of <see cref="Period"/> if that is shorter.
    /// Default: 15 seconds. Range: 0 to 1 hour.
    /// </summary>
    [Since("0.1")]
    public TimeSpan GracePeriod { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How old a key may become because a live peer still depends on it. Older than this it is replaced although the peer is cut off,
    /// unless too many are (<see cref="MaxLaggingFraction"/>). Default: <see langword="null"/>, which is 15 minutes, or
    /// <see cref="Period"/> times <see cref="Slots"/> plus two if that is longer. Range: the period, times the slots plus one, to 7 days; a
    /// key lives for the period times the slots, so with less it could never be kept for another turn.
    /// </summary>
    [Since("0.1")]
    public TimeSpan? MaxKeyAge { get; set; }

    /// <summary>
    /// The part of the live peers that may be cut off by replacing a key that is too old. If more of them lag behind, the node keeps its
    /// key and says so: a broken rollout must not cut a mesh in two. Default: 0.1. Range: 0 to 1.
    /// </summary>
    [Since("0.1")]
    public double MaxLaggingFraction { get; set; } = 0.1;

    /// <summary>
    /// How long the node's own device may take to accept a new key before the rotation counts as failed and is tried again.
    /// Default: 5 seconds. Range: 100 ms to less than Orleans' response timeout, which is 10 seconds as the silo sets it.
    /// </summary>
    [Since("0.1")]
    public TimeSpan ApplyTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary><see cref="MaxKeyAge"/>, or its default.</summary>
    internal TimeSpan EffectiveMaxKeyAge =>
        MaxKeyAge ?? TimeSpan.FromTicks(Math.Max(TimeSpan.FromMinutes(15).Ticks, (Period * (Slots + 2)).Ticks));
}
