using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Silos;

/// <summary>Asks the mesh about itself, by <c>owg status</c> inside a node.</summary>
internal static class MeshStatusReader
{
    /// <summary>What a node says of the mesh.</summary>
    /// <returns>The answer, or what went wrong in a sentence.</returns>
    public static async Task<(MeshStatus? Status, string Problem)> ReadAsync(
        MeshHarness mesh, NodePlan node, CancellationToken cancellationToken)
    {
        var (text, problem) = await ReadTextAsync(mesh, node, cancellationToken);
        try
        {
            return (text is null ? null : MeshStatus.Parse(text), problem);
        }
        catch (FormatException e)
        {
            return (null, e.Message);
        }
    }

    /// <summary>What a node says of the mesh, with all fields that there are.</summary>
    /// <returns>The answer in JSON, or what went wrong in a sentence.</returns>
    public static async Task<(string? Text, string Problem)> ReadTextAsync(
        MeshHarness mesh, NodePlan node, CancellationToken cancellationToken)
    {
        var result = await mesh.RunAsync(node, cancellationToken, "owg", "status", "-o", "json");

        // 3: it answered, and a node has a problem, which is in the answer.
        return result.ExitCode is 0 or 3
            ? (result.Output, "")
            : (null, $"'owg status -o json' in {node.Name} ended with exit code {result.ExitCode}: {result.Error.Trim()}");
    }
}
