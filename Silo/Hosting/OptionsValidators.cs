using System.Net;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Hosting;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Checks <see cref="NodeOptions"/>.</summary>
internal sealed class NodeOptionsValidator : IValidateOptions<NodeOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, NodeOptions options) => new RangeCheck(NodeOptions.SectionName)
        .Holds(
            options.Address.Length == 0 || (IPAddress.TryParse(options.Address, out var address) && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any)),
            $"Node:Address '{options.Address}' is not an address of a node; give one such as 10.0.0.4 or fd00::4, or the variable {NodeOptions.AddressVariable}.")
        .Holds(
            NodeNameRule.IsValid(options.Name),
            $"Node:Name '{options.Name}' is not a node name; {NodeNameRule.Description}. Set Node:Name or the variable {NodeOptions.NameVariable}.")
        .Result;
}

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

/// <summary>Checks <see cref="ClusteringOptions"/>.</summary>
internal sealed class ClusteringOptionsValidator : IValidateOptions<ClusteringOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ClusteringOptions options) => new RangeCheck(ClusteringOptions.SectionName)
        .Holds(Enum.IsDefined(options.Provider), $"Clustering:Provider must be one of {string.Join(", ", Enum.GetNames<ClusteringProvider>())}.")
        .Holds(
            options.Provider != ClusteringProvider.Redis || options.Redis is { Length: > 0 },
            "Clustering:Redis is empty; give host:port of the Redis server that holds the membership.")
        .Holds(options.ClusterId is { Length: > 0 }, "Clustering:ClusterId is empty; silos with the same id form one mesh.")
        .Holds(
            IPAddress.TryParse(options.GatewayAddress, out _),
            $"Clustering:GatewayAddress '{options.GatewayAddress}' is not an IP address; 127.0.0.1 admits this machine only.")
        .Within(options.SiloPort, 1, ushort.MaxValue, nameof(options.SiloPort))
        .Within(options.GatewayPort, 0, ushort.MaxValue, nameof(options.GatewayPort))
        .Holds(options.SiloPort != options.GatewayPort, $"Clustering:SiloPort and GatewayPort are both {options.SiloPort}; each needs one of its own.")
        .Result;
}

/// <summary>Checks <see cref="DeviceOptions"/>.</summary>
internal sealed class DeviceOptionsValidator : IValidateOptions<DeviceOptions>
{
    private const int MinMtu = 576;
    private const int MaxMtu = ushort.MaxValue - Agent.MtuCalculator.IPv6Overhead;

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, DeviceOptions options) => new RangeCheck(DeviceOptions.SectionName)
        .Within(options.ListenPort, 1, ushort.MaxValue - 1, nameof(options.ListenPort))
        .Within(options.ResyncInterval, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10), nameof(options.ResyncInterval))
        .Within(options.PollInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10), nameof(options.PollInterval))
        .Holds(options.Mtu is 0 or (>= MinMtu and <= MaxMtu), $"Device:Mtu must be 0 or from {MinMtu} to {MaxMtu}, not {options.Mtu}.")
        .Holds(IsKeepalive(options.PersistentKeepalive), Describe(nameof(options.PersistentKeepalive), options.PersistentKeepalive))
        .Holds(
            options.PersistentKeepaliveOf.Values.All(IsKeepalive),
            Describe(nameof(options.PersistentKeepaliveOf), options.PersistentKeepaliveOf.Values.FirstOrDefault(value => !IsKeepalive(value))))
        .Holds(options.UserspaceCommand is { Length: > 0 }, "Device:UserspaceCommand is empty; name the userspace implementation, such as wireguard-go.")
        .Result;

    // WireGuard keeps it as seconds in 16 bits (linux/wireguard.h).
    private static bool IsKeepalive(TimeSpan value) =>
        value >= TimeSpan.Zero && value <= TimeSpan.FromSeconds(ushort.MaxValue) && value.Ticks % TimeSpan.TicksPerSecond == 0;

    private static string Describe(string member, TimeSpan value) =>
        $"Device:{member} must be whole seconds from 0 to {ushort.MaxValue}, such as 00:00:25, not {value}.";
}

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
                FindingText.TryParseCode(text) is not null, $"Encryption:Accept: '{text}' is no finding; give codes as owg doctor shows them, such as OWG310.");
        }

        return check.Result;
    }
}

/// <summary>Checks <see cref="RoutingOptions"/>.</summary>
internal sealed class RoutingOptionsValidator : IValidateOptions<RoutingOptions>
{
    // linux/rtnetlink.h: RT_TABLE_COMPAT, RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL.
    private const int FirstOfKernel = 252;
    private const int LastOfKernel = 255;

    // Larger than anybody numbers them; the kernel takes 32 bits.
    private const int MaxTable = 1_000_000_000;

    // The rule that leads to the main table has the next one.
    private const int MaxRulePriority = 32765;

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, RoutingOptions options) => new RangeCheck(RoutingOptions.SectionName)
        .Within(options.Table, 1, MaxTable, nameof(options.Table))
        .Holds(
            options.Table is < FirstOfKernel or > LastOfKernel,
            $"Routing:Table must not be from {FirstOfKernel} to {LastOfKernel}, which are the kernel's; give a number that nobody else uses, such as 201.")
        .Within(options.RulePriority, 1, MaxRulePriority, nameof(options.RulePriority))
        .Result;
}

/// <summary>Checks <see cref="WebOptions"/>.</summary>
internal sealed class WebOptionsValidator(IOptions<ClusteringOptions> clustering) : IValidateOptions<WebOptions>
{
    private ClusteringOptions? Clustering => clustering.ValueOrNull();

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, WebOptions options) => new RangeCheck(WebOptions.SectionName)
        .Within(options.Port, 1, ushort.MaxValue, nameof(options.Port))
        .Holds(IPAddress.TryParse(options.Address, out _), $"Web:Address '{options.Address}' is not an IP address; 127.0.0.1 admits this machine only.")
        .Holds(options.Port != Clustering?.SiloPort, $"Web:Port and Clustering:SiloPort are both {options.Port}; each needs one of its own.")
        .Holds(options.Port != Clustering?.GatewayPort, $"Web:Port and Clustering:GatewayPort are both {options.Port}; each needs one of its own.")
        .Result;
}

/// <summary>Options that a validator compares with its own.</summary>
internal static class ComparedOptions
{
    /// <summary>The options, or <see langword="null"/> if they are wrong: another validator reports that, and nothing is said twice.</summary>
    public static T? ValueOrNull<T>(this IOptions<T> options)
        where T : class
    {
        try
        {
            return options.Value;
        }
        catch (OptionsValidationException)
        {
            return null;
        }
    }
}
