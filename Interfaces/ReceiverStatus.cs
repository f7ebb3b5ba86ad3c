namespace Orleans.WireGuard;

/// <summary>One receiver of an announcement.</summary>
/// <param name="NodeName">The receiving node.</param>
/// <param name="Outcome">Its last answer; <see langword="null"/> if it has not answered.</param>
/// <param name="AppliedAfter">Time from publishing until it answered <see cref="AnnouncementOutcome.Applied"/>.</param>
/// <param name="Attempts">How often it was sent; 0 or more.</param>
/// <param name="Problem">
/// Why the last attempt failed: <see cref="NodeProblemCode.NoAnswer"/> or <see cref="NodeProblemCode.CallFailed"/>;
/// <see langword="null"/> if it was answered.
/// </param>
/// <remarks>Number 4 was a sentence, and is not used again.</remarks>
[GenerateSerializer, Immutable, Alias("owg.ReceiverStatus")]
public sealed record ReceiverStatus(
    [property: Id(0)] string NodeName,
    [property: Id(1)] AnnouncementOutcome? Outcome,
    [property: Id(2)] TimeSpan? AppliedAfter,
    [property: Id(3)] int Attempts,
    [property: Id(5)] NodeProblem? Problem);
