using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Checks;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>Checks <see cref="EncryptionOptions"/>.</summary>
internal sealed class EncryptionOptionsValidator : IValidateOptions<EncryptionOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, EncryptionOptions options)
    {
        var check = new RangeCheck(EncryptionOptions.SectionName).Holds(
            Enum.IsDefined(options.Mode), $"Encryption:Mode must be one of {string.Join(", ", Enum.GetNames<EncryptionMode>())}.");
        foreach (var text in options.ClusterCIDRs)
        {
            check = IPPrefix.TryParse(text, out var prefix)
                ? check.Holds(prefix.Length > 0, $"Encryption:ClusterCIDRs: {text} is every address there is; give the prefixes that hold the cluster's pods.")
                : check.Holds(false, $"Encryption:ClusterCIDRs: '{text}' is not a prefix; give one such as 10.244.0.0/16, without bits behind its length.");
        }

        foreach (var text in options.Accept)
        {
            check = check.Holds(
                FindingText.TryParseCode(text) is not null,
                $"Encryption:Accept: '{text}' is no finding; give codes as owg doctor shows them, such as OWG310.");
        }

        check = check.Holds(
            EncapsulationChoice.TryParse(options.Encapsulation) is not null,
            $"Encryption:Encapsulation: '{options.Encapsulation}' is neither Auto nor Off nor at most {AddressAnnouncement.MaxEncapsulations} UDP ports and 'ipip' with commas between them; give for instance 8472.");
        return check.Result;
    }
}
