using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Grains.Checks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Checks the range of every member of <see cref="RotationOptions"/> and reports all faults at once.</summary>
internal sealed class RotationOptionsValidator(IOptions<SiloMessagingOptions> messaging) : IValidateOptions<RotationOptions>
{
    private static readonly TimeSpan MinPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxPeriod = TimeSpan.FromDays(1);

    // The longest period has to fit more than twice.
    private static readonly TimeSpan MaxMaxKeyAge = TimeSpan.FromDays(7);

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, RotationOptions options) => new RangeCheck(RotationOptions.SectionName)
        .Within(options.Period, MinPeriod, MaxPeriod, nameof(options.Period))
        .Within(options.Slots, 1, Slot.Count, nameof(options.Slots))
        .Within(options.GracePeriod, TimeSpan.Zero, TimeSpan.FromHours(1), nameof(options.GracePeriod))
        .Holds(
            options.MaxKeyAge is not { } age || (age >= MinMaxKeyAge(options) && age <= MaxMaxKeyAge),
            $"Rotation:MaxKeyAge must be from {MinMaxKeyAge(options)} to {MaxMaxKeyAge}, not {options.MaxKeyAge}: with Slots {options.Slots} a key lives {options.Slots} times the Period of "
            + $"{options.Period}, and with less than one more no peer that depends on it could be waited for. Give a longer MaxKeyAge, none at all, or a shorter Period.")
        .Within(options.MaxLaggingFraction, 0, 1, nameof(options.MaxLaggingFraction))
        .WithinCall(options.ApplyTimeout, TimeSpan.FromMilliseconds(100), messaging.Value.ResponseTimeout, nameof(options.ApplyTimeout))
        .Result;

    // A due rotation waits for a part of a period (RotationTiming.Patience) before it asks for the key's age. What is out of range
    // itself is reported as that.
    private static TimeSpan MinMaxKeyAge(RotationOptions options) =>
        options.Period >= MinPeriod && options.Period <= MaxPeriod && options.Slots is >= 1 and <= Slot.Count
            ? options.Period * (options.Slots + 1)
            : TimeSpan.Zero;
}
