using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>Cilium with native routing, endpoint routes and the host's stack, as on AKS.</summary>
internal sealed class CiliumNative : CiliumKind
{
    /// <inheritdoc/>
    public override string Name => "cilium-native";

    /// <inheritdoc/>
    public override string Way => "host routes, node CIDRs via the nodes; pod to node is not masqueraded";

    /// <inheritdoc/>
    public override IReadOnlyList<CniFix> Fixes { get; } =
    [
        new(
            "device-names",
            new Dictionary<string, string>
            {
                [CniSettings.FirstDevice] = MeshPlan.DeviceNames[0],
                [CniSettings.SecondDevice] = MeshPlan.DeviceNames[1],
            },
            CniFault.Lost),
        new("node-addresses", CniSettings.WithoutNodeAddresses, CniFault.PodToNodePort),
    ];
}
