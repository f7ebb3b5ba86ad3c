namespace Orleans.WireGuard.LocalMesh.Topology;

/// <summary>This machine did not get the mesh up, or down; the message says what failed and shows its log.</summary>
internal sealed class MeshFailedException(string message) : Exception(message);
