using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Checks;
using Orleans.WireGuard.Grains.Nodes;

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
        failures.AddRange(FindPrefixFaults(options));

        // A list without names would look wrong in every line.
        var local = node.ValueOrNull() ?? new NodeOptions();
        var isApiKnown = api.ValueOrNull() is not { } known || ApiConnection.IsKnown(known);
        if (!isApiKnown && options.Prefixes is (PrefixSource.NodeNetworkConfig or PrefixSource.CiliumNode or PrefixSource.Node))
        {
            failures.Add(
                $"Nodes:Prefixes is {options.Prefixes}, an object that the API server has, and no API server is known; set Kubernetes:Address, or Nodes:Prefixes to Static or Kernel.");
        }

        if (NodeSourceChoice.IsKubernetes(options, isApiKnown))
        {
            if (options.Prefixes == PrefixSource.Static)
            {
                failures.Add(
                    "Nodes:Prefixes is Static, which takes this node's entry in Nodes:Static, and the nodes come from Kubernetes; set Nodes:Source to Static too, or Nodes:Prefixes to Auto.");
            }

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

    private static IEnumerable<string> FindPrefixFaults(NodesOptions options)
    {
        if (!Enum.IsDefined(options.Prefixes))
        {
            yield return $"Nodes:Prefixes must be one of {string.Join(", ", Enum.GetNames<PrefixSource>())}.";
        }

        foreach (var text in options.PodRanges)
        {
            if (!IPPrefix.TryParse(text, out var range))
            {
                yield return $"Nodes:PodRanges: '{text}' is not a CIDR; give one such as 10.244.0.0/16 or fd00:244::/48.";
            }
            else if (!PrefixArithmetic.IsPodCIDR(range))
            {
                yield return $"Nodes:PodRanges: {text} is wider than any cluster's pods; give at least /8, or /16 of IPv6.";
            }
        }

        if (options.Prefixes == PrefixSource.Kernel && options.PodRanges.Count == 0)
        {
            yield return "Nodes:Prefixes is Kernel, and Nodes:PodRanges is empty: routes do not say which of them lead to pods; list the ranges of the cluster's pods, such as 10.244.0.0/16.";
        }

        foreach (var text in options.Exempt ?? [])
        {
            if (!LabelSelector.TryParse(text, out _))
            {
                yield return $"Nodes:Exempt: '{text}' is not a label selector; give one such as kubernetes.io/os=windows or type in (virtual-kubelet).";
            }
        }
    }
}
