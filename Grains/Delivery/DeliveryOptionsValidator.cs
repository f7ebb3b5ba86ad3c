using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Grains.Checks;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>Checks the range of every member of <see cref="DeliveryOptions"/> and reports all faults at once.</summary>
internal sealed class DeliveryOptionsValidator(IOptions<SiloMessagingOptions> messaging) : IValidateOptions<DeliveryOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, DeliveryOptions options) => new RangeCheck(DeliveryOptions.SectionName)
        .WithinCall(options.AttemptTimeout, TimeSpan.FromMilliseconds(10), messaging.Value.ResponseTimeout, nameof(options.AttemptTimeout))
        .Within(options.MaxAttempts, 1, 20, nameof(options.MaxAttempts))
        .Within(options.LaggardInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1), nameof(options.LaggardInterval))
        .Within(options.AntiEntropyInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1), nameof(options.AntiEntropyInterval))
        .Within(options.AntiEntropyFanOut, 1, 16, nameof(options.AntiEntropyFanOut))
        .Result;
}
