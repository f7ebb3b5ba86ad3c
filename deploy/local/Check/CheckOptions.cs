using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>What a check runs on and for how long.</summary>
/// <param name="Plan">Names and addresses.</param>
/// <param name="State">Files.</param>
/// <param name="Binary">The silo executable.</param>
/// <param name="Period">Length of an epoch.</param>
/// <param name="Duration">For how long rotations are observed.</param>
/// <param name="SourceDirectory">Files below it that the run wrote are searched for private keys; <see langword="null"/> for none.</param>
/// <param name="EvidenceDirectory">Gets the logs of a mesh in which a proof failed; <see langword="null"/> to keep nothing.</param>
internal sealed record CheckOptions(
    MeshPlan Plan, MeshState State, string Binary, TimeSpan Period, TimeSpan Duration, string? SourceDirectory, string? EvidenceDirectory);
