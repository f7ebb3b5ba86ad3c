namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>A rule that a test breaks on purpose.</summary>
internal enum Break
{
    None,
    RekeyWithoutAsking,
    MoveOnceApplied,
    RekeyUnheard,
    IgnoreOwnOtherKey,
    RetireWithoutAsking,
    AskOneOnly,
    SequenceRestarts,
    BothStart,
}

/// <summary>What takes part in a model beside the rotations themselves.</summary>
/// <param name="LastEpoch">Clocks stop here; they begin at <see cref="RotationModel.FirstEpoch"/>.</param>
internal sealed record ModelOptions(byte LastEpoch)
{
    /// <summary>How many silos may die.</summary>
    public int Deaths { get; init; }

    /// <summary>Whether silos restart, once for each epoch of their clock at most.</summary>
    public bool Restarts { get; init; }

    /// <summary>Whether an acknowledgement travels for itself, instead of with the delivery.</summary>
    public bool SlowAcks { get; init; }

    /// <summary>
    /// Whether keys are destroyed when nobody uses them any more. Every time is announced, which multiplies the interleavings.
    /// </summary>
    public bool Retires { get; init; } = true;

    /// <summary>Whether states that make no difference count as one (<see cref="ModelReduction"/>).</summary>
    public bool Reduced { get; init; }

    /// <summary>The rule that is broken.</summary>
    public Break Broken { get; init; }
}
