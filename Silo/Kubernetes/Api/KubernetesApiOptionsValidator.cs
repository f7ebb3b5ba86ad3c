using Microsoft.Extensions.Options;

namespace Orleans.WireGuard.Api;

/// <summary>Says everything that is wrong with <see cref="KubernetesApiOptions"/> at once.</summary>
internal sealed class KubernetesApiOptionsValidator : IValidateOptions<KubernetesApiOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, KubernetesApiOptions options)
    {
        List<string> failures = [.. ApiTargetRules.FindFaults(options, options.Pod)];
        if (options.Address is not null && options.KubeConfigPath is not null)
        {
            failures.Add("KubernetesApiOptions.Address and KubeConfigPath exclude each other: set one of them.");
        }

        if (options.Namespace is { } space && !DnsLabel.IsValid(space))
        {
            failures.Add($"KubernetesApiOptions.Namespace must be a DNS label (a-z, 0-9, '-', at most 63 characters), not \"{space}\".");
        }

        Check(options.RequestTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5), nameof(options.RequestTimeout));
        Check(options.WatchIdleTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10), nameof(options.WatchIdleTimeout));
        Check(options.RetryDelay, TimeSpan.FromMilliseconds(10), options.MaxRetryDelay, nameof(options.RetryDelay));
        Check(options.MaxRetryDelay, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(5), nameof(options.MaxRetryDelay));
        Check(options.BreakDuration, TimeSpan.FromMilliseconds(500), TimeSpan.FromMinutes(5), nameof(options.BreakDuration));
        if (options.MaxRetries is < 0 or > 20)
        {
            failures.Add($"KubernetesApiOptions.MaxRetries must be 0 to 20, not {options.MaxRetries}.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void Check(TimeSpan value, TimeSpan least, TimeSpan most, string what)
        {
            if (value < least || value > most)
            {
                failures.Add($"KubernetesApiOptions.{what} must be {least} to {most}, not {value}.");
            }
        }
    }
}
