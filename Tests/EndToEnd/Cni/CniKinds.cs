using Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>The zoo.</summary>
internal static class CniKinds
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<CniKind> All { get; } =
    [
        new Ptp(),
        new HostGateway(),
        new FlannelVxlan(),
        new Calico(),
        new Eks(),
        new AzurePodSubnet(),
        new CiliumNative(),
        new CiliumHostRouting(),
        new CiliumTunnel(),
    ];

    /// <summary>Those that the variable <c>CNI</c> names, separated by commas; all of them without it.</summary>
    public static IEnumerable<CniKind> Chosen => Environment.GetEnvironmentVariable("CNI") is { Length: > 0 } names
        ? names.Split(',').Select(Get)
        : All;

    /// <summary>The one of a name.</summary>
    public static CniKind Get(string name) => All.Single(kind => kind.Name == name);
}
