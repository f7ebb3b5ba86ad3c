namespace Orleans.WireGuard;

/// <summary>
/// A node tried what was asked of it, or what was due, and could not: its devices did not take the key in time or cannot be read, or the
/// node cannot be announced. The message says which. A key that was made meanwhile is not lost: the node goes on trying.
/// </summary>
/// <remarks>What a node does not even try is a <see cref="RotationRefusedException"/>.</remarks>
[GenerateSerializer, Alias("owg.RotationFailedException")]
public sealed class RotationFailedException : Exception
{
    /// <summary>Makes the exception with a text.</summary>
    public RotationFailedException(string message)
        : base(message)
    {
    }

    /// <summary>Makes the exception with a text and a cause.</summary>
    public RotationFailedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Makes an empty exception.</summary>
    public RotationFailedException()
    {
    }
}
