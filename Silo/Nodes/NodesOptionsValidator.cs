using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Checks;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Checks <see cref="NodesOptions"/> as a whole: every entry, this node's presence, overlaps; and an address for a silo whose
/// nodes come from Kubernetes.</summary>
internal sealed class NodesOptionsValidator(IOptions<NodeOptions> node, IOptions<KubernetesApiOptions> api) : IValidateOptions<NodesOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, NodesOptions options)
    {
        var failures = new List<string>();
        var ranges = new RangeCheck(NodesOptions.SectionName)
            .Holds(Enum.IsDefined(options.Source), $"Nodes:Source must be one of {string.Join(", ", Enum.GetNames<NodeSource>())}.")
            .Within(options.RelistPeriod, TimeSpan.FromMinutes(1), TimeSpan.FromDays(1), nameof(options.RelistPeriod))
            .Within(options.AnnotationInterval, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1), nameof(options.AnnotationInterval))
            .Result;
        failures.AddRange(ranges.Failures ?? []);

        // A list without names would look wrong in every line.
        var local = node.ValueOrNull() ?? new NodeOptions();
        if (NodeSourceChoice.IsKubernetes(options, api.ValueOrNull() is not { } known || ApiConnection.IsKnown(known)))
        {
            if (local.Address.Length == 0)
            {
                failures.Add(
                    $"Node:Address is empty, which a silo whose nodes come from Kubernetes needs; set it or the variable {NodeOptions.AddressVariable} (status.hostIP).");
            }
        }
        else if (StaticRoster.TryParse(options, local.Name, out var faults) is null)
        {
            failures.AddRange(faults);
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
