using System.Net;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Checks;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Checks <see cref="NodeOptions"/>.</summary>
internal sealed class NodeOptionsValidator : IValidateOptions<NodeOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, NodeOptions options) => new RangeCheck(NodeOptions.SectionName)
        .Holds(
            options.Address.Length == 0 || (IPAddress.TryParse(options.Address, out var address)
                && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any)),
            $"Node:Address '{options.Address}' is not an address of a node; give one such as 10.0.0.4 or fd00::4, or the variable {NodeOptions.AddressVariable}.")
        .Holds(
            NodeNameRule.IsValid(options.Name),
            $"Node:Name '{options.Name}' is not a node name; {NodeNameRule.Description}. Set Node:Name or the variable {NodeOptions.NameVariable}.")
        .Result;
}
