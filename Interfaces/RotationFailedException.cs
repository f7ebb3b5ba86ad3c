namespace Orleans.WireGuard;

/// <summary>A new key was made, but the node's device does not hold it yet, so it was not announced. The node goes on trying.</summary>
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
