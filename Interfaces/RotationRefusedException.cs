namespace Orleans.WireGuard;

/// <summary>
/// A node refuses the key that an operator asks for: it is frozen, or has that key already, or other nodes depend on the key that it would
/// replace. No key was made and nothing has changed; the same call succeeds when the reason is gone.
/// </summary>
[GenerateSerializer, Alias("owg.RotationRefusedException")]
public sealed class RotationRefusedException : Exception
{
    /// <summary>Makes the exception of its parts.</summary>
    /// <param name="refusal">Why.</param>
    /// <param name="message">The same in a sentence, for logs and for who does not look at <see cref="Refusal"/>.</param>
    public RotationRefusedException(RotationRefusal refusal, string message)
        : base(message) => Refusal = refusal;

    /// <summary>Makes the exception with a text only.</summary>
    public RotationRefusedException(string message)
        : base(message)
    {
    }

    /// <summary>Makes the exception with a text and a cause.</summary>
    public RotationRefusedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Makes an empty exception.</summary>
    public RotationRefusedException()
    {
    }

    /// <summary>Why; <see langword="null"/> if only the message says it.</summary>
    [Id(0)]
    public RotationRefusal? Refusal { get; }
}
