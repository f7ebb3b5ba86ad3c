using Microsoft.Extensions.Options;

namespace Orleans.WireGuard.Membership;

/// <summary>Says everything that is wrong with <see cref="KubernetesClusteringOptions"/> at once.</summary>
internal sealed class KubernetesClusteringOptionsValidator : IValidateOptions<KubernetesClusteringOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, KubernetesClusteringOptions options)
    {
        List<string> failures = [];
        if (options.InitializationTimeout < TimeSpan.Zero || options.InitializationTimeout > TimeSpan.FromDays(1))
        {
            failures.Add(
                $"KubernetesClusteringOptions.InitializationTimeout must be zero to one day, not {options.InitializationTimeout}.");
        }

        if (options.HeartbeatStaleness < TimeSpan.Zero || options.HeartbeatStaleness > TimeSpan.FromMinutes(1))
        {
            failures.Add($"KubernetesClusteringOptions.HeartbeatStaleness must be zero to one minute, not {options.HeartbeatStaleness}.");
        }

        if (options.MaxTableBytes is < 64 * 1024 or > 1_572_864)
        {
            failures.Add($"KubernetesClusteringOptions.MaxTableBytes must be 65536 to 1572864, not {options.MaxTableBytes}.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
