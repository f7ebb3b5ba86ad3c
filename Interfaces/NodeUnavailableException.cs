namespace Orleans.WireGuard;

/// <summary>
/// The silo of a node is not an active member, so its NodeGrain and PeerGrain cannot be reached. They live on that silo and nowhere else.
/// </summary>
/// <remarks>
/// Derives from <see cref="Exception"/> and not from OrleansException, because Orleans retries placement for the latter and the caller
/// would wait for half a second.
/// </remarks>
[GenerateSerializer, Alias("owg.NodeUnavailableException")]
public sealed class NodeUnavailableException : Exception
{
    /// <summary>Makes the exception of its parts.</summary>
    /// <param name="nodeName">The node that was asked for.</param>
    /// <param name="message">Why it cannot be reached.</param>
    public NodeUnavailableException(string nodeName, string message)
        : base(message) => NodeName = nodeName;

    /// <summary>Makes the exception with a text only.</summary>
    public NodeUnavailableException(string message)
        : this("", message)
    {
    }

    /// <summary>Makes the exception with a text and a cause.</summary>
    public NodeUnavailableException(string message, Exception innerException)
        : base(message, innerException) => NodeName = "";

    /// <summary>Makes an empty exception.</summary>
    public NodeUnavailableException()
        : this("")
    {
    }

    /// <summary>The node that was asked for.</summary>
    [Id(0)]
    public string NodeName { get; }
}
