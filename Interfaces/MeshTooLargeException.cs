namespace Orleans.WireGuard;

/// <summary>The mesh has more nodes than an answer about all of them may hold; see <see cref="IMeshGrain"/>. Nobody was asked.</summary>
[GenerateSerializer, Alias("owg.MeshTooLargeException")]
public sealed class MeshTooLargeException : Exception
{
    /// <summary>Makes the exception of its parts.</summary>
    /// <param name="nodes">How many nodes there are.</param>
    /// <param name="maxNodes">How many the answer may hold.</param>
    public MeshTooLargeException(int nodes, int maxNodes)
        : base($"the mesh has {nodes} nodes, and an answer about all of them may hold {maxNodes}, because each node tells about every other") =>
        (Nodes, MaxNodes) = (nodes, maxNodes);

    /// <summary>Makes the exception with a text only.</summary>
    public MeshTooLargeException(string message)
        : base(message)
    {
    }

    /// <summary>Makes the exception with a text and a cause.</summary>
    public MeshTooLargeException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Makes an empty exception.</summary>
    public MeshTooLargeException()
    {
    }

    /// <summary>How many nodes there are.</summary>
    [Id(0)]
    public int Nodes { get; }

    /// <summary>How many the answer may hold.</summary>
    [Id(1)]
    public int MaxNodes { get; }
}
