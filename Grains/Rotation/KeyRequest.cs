using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>A key that somebody waits for.</summary>
/// <param name="Number">By which the caller is found; no other request of this silo has it.</param>
/// <param name="IsAdvance">Whether it is the key of the next epoch, brought forward, and not one in place of the present one.</param>
/// <param name="AskedAt">Since when it is waited for.</param>
internal sealed record KeyRequest(long Number, bool IsAdvance, SteadyTime AskedAt)
{
    /// <summary>
    /// The epoch that is brought forward; <see langword="null"/> until the request was looked at. It was the next one then, and its own
    /// time may come while peers are waited for.
    /// </summary>
    public Epoch? Epoch { get; init; }
}
