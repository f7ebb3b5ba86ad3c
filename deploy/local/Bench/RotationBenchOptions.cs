using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>What <see cref="RotationBench"/> runs.</summary>
/// <param name="Plan">Names and addresses.</param>
/// <param name="State">Files.</param>
/// <param name="Binary">The silo executable.</param>
/// <param name="Period">Length of an epoch in the runs that rotate.</param>
/// <param name="Rotations">Of every node in run B.</param>
/// <param name="Quiet">Length of each of the two halves of run A, one before and one after run B.</param>
/// <param name="Rounds">How often TCP is measured in each run; the median counts.</param>
/// <param name="Runs">Letters of the runs.</param>
internal sealed record RotationBenchOptions(
    MeshPlan Plan, MeshState State, string Binary, TimeSpan Period, int Rotations, TimeSpan Quiet, int Rounds, string Runs);
