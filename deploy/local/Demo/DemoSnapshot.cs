using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>A row of the demo's table.</summary>
/// <param name="Name">The node.</param>
/// <param name="Epoch">Its epoch; <see langword="null"/> if unknown.</param>
/// <param name="KeyAge">Age of the key in use; <see langword="null"/> if it has none.</param>
/// <param name="PublicKey">Short form of the key in use.</param>
/// <param name="Agreeing">Other nodes whose device holds that key.</param>
/// <param name="HandshakeAge">Age of the latest handshake with any peer; <see langword="null"/> before the first.</param>
/// <param name="ReceiveBytes">Sum over the peers.</param>
/// <param name="TransmitBytes">Sum over the peers.</param>
/// <param name="Rotations">Rotations seen since the demo started.</param>
/// <param name="Problem">What it complains about; empty if nothing.</param>
internal sealed record DemoRow(
    string Name,
    long? Epoch,
    TimeSpan? KeyAge,
    string PublicKey,
    int Agreeing,
    TimeSpan? HandshakeAge,
    long ReceiveBytes,
    long TransmitBytes,
    int Rotations,
    string Problem);

/// <summary>All that the demo shows at one moment.</summary>
/// <param name="Plan">The mesh.</param>
/// <param name="Nodes">Those of its machines that are nodes.</param>
/// <param name="Rows">One for each of these, in the same order.</param>
/// <param name="Pings">Each ordered pair of these over the last seconds.</param>
/// <param name="Period">Length of an epoch.</param>
/// <param name="Hints">What else to try, line by line.</param>
/// <param name="Note">Something to tell about the mesh as a whole; empty if nothing.</param>
internal sealed record DemoSnapshot(
    MeshPlan Plan,
    IReadOnlyList<NodePlan> Nodes,
    IReadOnlyList<DemoRow> Rows,
    IReadOnlyDictionary<NodePair, PingReport> Pings,
    TimeSpan Period,
    IReadOnlyList<string> Hints,
    string Note);
