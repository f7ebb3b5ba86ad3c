using Orleans.WireGuard.Grains;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>
/// Reads a whole mesh in pages, since a snapshot of it may be larger than one message, and compares here what the nodes say.
/// </summary>
internal static class MeshReader
{
    /// <summary>Reads the names of all nodes, then page by page how each of them is.</summary>
    /// <param name="mesh">Whom to ask.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="cancellationToken">Ctrl-C.</param>
    /// <exception cref="MeshTooLargeException">It has more than <see cref="IMeshGrain.MaxNodes"/> nodes.</exception>
    public static async Task<MeshSnapshot> ReadAsync(IMeshGrain mesh, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var takenAt = timeProvider.GetUtcNow();
        var names = await mesh.GetNodeNames(cancellationToken);
        if (names.Count > IMeshGrain.MaxNodes)
        {
            throw new MeshTooLargeException(names.Count, IMeshGrain.MaxNodes);
        }

        var pages = await Task.WhenAll(
            names.Chunk(IMeshGrain.MaxAsked).Select(page => mesh.GetNodes(page.ToEquatableArray(), cancellationToken)));
        var nodes = pages.SelectMany(page => page).ToList();
        return new MeshSnapshot(takenAt, nodes.ToEquatableArray(), KeyAgreementMatrix.Build(nodes));
    }
}
