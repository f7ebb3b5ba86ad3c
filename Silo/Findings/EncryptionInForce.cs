using Microsoft.Extensions.Options;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>
/// What is encrypted, refused and dropped right now: what the configuration says, or nothing is refused while strict mode is withheld.
/// </summary>
internal sealed class EncryptionInForce(IOptionsMonitor<EncryptionOptions> configured)
{
    /// <summary>Whether strict mode is withheld (<see cref="StrictGate"/>).</summary>
    public bool IsWithheld { get; set; }

    /// <summary>What the configuration says.</summary>
    public EncryptionOptions Configured => configured.CurrentValue;

    /// <summary>What is in force.</summary>
    public EncryptionOptions CurrentValue => IsWithheld
        ? new EncryptionOptions
        {
            Mode = EncryptionMode.Permissive,
            DropPlaintext = Configured.DropPlaintext,
            Encapsulation = Configured.Encapsulation,
        }
        : Configured;
}
