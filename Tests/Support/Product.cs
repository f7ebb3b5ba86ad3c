using System.Reflection;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>The assemblies of the product, from the bottom up.</summary>
internal static class Product
{
    /// <summary>Keys, prefixes, lists.</summary>
    public static readonly Assembly Values = typeof(PublicKey).Assembly;

    /// <summary>Whatever sees a private key.</summary>
    public static readonly Assembly Keys = typeof(KeyPair).Assembly;

    /// <summary>Loops and their faults.</summary>
    public static readonly Assembly Supervision = typeof(EndlessLoops).Assembly;

    /// <summary>What crosses a grain call.</summary>
    public static readonly Assembly Interfaces = typeof(INodeGrain).Assembly;

    /// <summary>The grains.</summary>
    public static readonly Assembly Grains = typeof(NodeGrain).Assembly;

    /// <summary>The client of Linux.</summary>
    public static readonly Assembly Linux = typeof(Device).Assembly;

    /// <summary>The client of the Kubernetes API, and the membership there.</summary>
    public static readonly Assembly Cluster = typeof(KubernetesApiOptions).Assembly;

    /// <summary>The silo and the verbs.</summary>
    public static readonly Assembly Silo = typeof(MeshAgent).Assembly;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Assembly> Assemblies { get; } = [Values, Keys, Supervision, Interfaces, Grains, Linux, Cluster, Silo];

    /// <summary>All their types, those of the compiler and of Orleans' generator too.</summary>
    public static IEnumerable<Type> Types => Assemblies.SelectMany(assembly => assembly.GetTypes());
}
