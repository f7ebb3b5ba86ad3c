using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Unit.Deploy;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>The settings that clusters of the zoo differ in, as variables of a silo.</summary>
internal static class CniSettings
{
    /// <summary>Where a node learns its prefixes.</summary>
    public const string Prefixes = "OWG_Nodes__Prefixes";

    /// <summary>The first range of pods.</summary>
    public const string PodRange = "OWG_Nodes__PodRanges__0";

    /// <summary>Whether pods' packets to nodes take the tunnel too.</summary>
    public const string NodeAddresses = "OWG_Encryption__NodeAddresses";

    /// <summary>Which encapsulations of others are led into the tunnel.</summary>
    public const string Encapsulation = "OWG_Encryption__Encapsulation";

    /// <summary>What the device of the first slot is called.</summary>
    public const string FirstDevice = "OWG_Device__Names__0";

    /// <summary>What the device of the second slot is called.</summary>
    public const string SecondDevice = "OWG_Device__Names__1";

    private const string Prefix = "OWG_";
    private const string Separator = "__";

    /// <summary>None besides those of the base.</summary>
    public static IReadOnlyDictionary<string, string> None { get; } = new Dictionary<string, string>();

    /// <summary>Pods' packets to nodes stay outside.</summary>
    public static IReadOnlyDictionary<string, string> WithoutNodeAddresses { get; } = Only(NodeAddresses, "false");

    /// <summary>Names of devices that a Cilium agent leaves alone.</summary>
    public static IReadOnlyDictionary<string, string> CiliumDevices { get; } = new Dictionary<string, string>
    {
        [FirstDevice] = "cilium_owg0",
        [SecondDevice] = "cilium_owg1",
    };

    /// <summary>Prefixes of pods that nobody has, as agents of old made them up from the last octet of a node's address.</summary>
    public static IReadOnlyDictionary<string, string> MadeUp { get; } = CniPlan.Mesh.Nodes
        .SelectMany((node, i) => MadeUpOf(node, FormattableString.Invariant($"OWG_Nodes__Static__{i}__")))
        .Append(new("OWG_Nodes__Source", "Static")).Append(new(Prefixes, "Static")).ToDictionary();

    /// <summary>One setting.</summary>
    public static IReadOnlyDictionary<string, string> Only(string variable, string value) =>
        new Dictionary<string, string> { [variable] = value };

    /// <summary>Which of these the settings file does not have: whoever gave them to this version would not see its silo start.</summary>
    public static IEnumerable<string> Unknown(IEnumerable<string> variables) => variables.Where(variable =>
    {
        var path = variable[Prefix.Length..].Split(Separator);
        return Manifests.Configuration[path[0]]?.AsObject().ContainsKey(path[1]) != true;
    });

    private static IEnumerable<KeyValuePair<string, string>> MadeUpOf(NodePlan node, string prefix) =>
    [
        new(prefix + "Name", node.Name),
        new(prefix + "Addresses__0", node.Address.ToString()),
        new(prefix + "PodCIDRs__0", FormattableString.Invariant($"10.{node.Number}.0.0/16")),
    ];
}
