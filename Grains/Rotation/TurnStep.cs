namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>What is to be done next, and what has to be remembered for the step after it.</summary>
internal readonly record struct TurnStep(RotationState State, TurnCommand Command);
