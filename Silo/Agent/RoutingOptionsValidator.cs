using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Checks;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Checks <see cref="RoutingOptions"/>.</summary>
internal sealed class RoutingOptionsValidator : IValidateOptions<RoutingOptions>
{
    // linux/rtnetlink.h: RT_TABLE_COMPAT, RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL.
    private const int FirstOfKernel = 252;

    // The next number is ours too (RouteTable.OfEncapsulated).
    private const int FirstRefused = FirstOfKernel - 1;
    private const int LastOfKernel = 255;

    // Larger than anybody numbers them; the kernel takes 32 bits.
    private const int MaxTable = 1_000_000_000;

    // Zero is the local table's, 32766 the main one's, and the two before are used too (RouteTable.OfNode, RouteTable.OfEncapsulated).
    private const int MinRulePriority = 3;
    private const int MaxRulePriority = 32764;

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, RoutingOptions options) => new RangeCheck(RoutingOptions.SectionName)
        .Within(options.Table, 1, MaxTable, nameof(options.Table))
        .Holds(
            options.Table is < FirstRefused or > LastOfKernel,
            $"Routing:Table must not be from {FirstRefused} to {LastOfKernel}: it and the next number are ours, and {FirstOfKernel} to {LastOfKernel} the kernel's; give a number that nobody else uses, such as 201.")
        .Within(options.RulePriority, MinRulePriority, MaxRulePriority, nameof(options.RulePriority))
        .Result;
}
