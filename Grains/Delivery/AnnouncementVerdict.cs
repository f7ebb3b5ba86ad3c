namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>What a silo decides on an announcement that was offered to it, before anything is done about its device.</summary>
/// <remarks>
/// <code>
/// Taken     it replaces what was held; the device does not have it yet
/// Repeated  it is the very one that is held
/// Refused   nothing changes
/// </code>
/// </remarks>
internal readonly record struct AnnouncementVerdict
{
    private AnnouncementVerdict(bool isAccepted, AnnouncementOutcome outcome, string detail) =>
        (IsAccepted, Outcome, Detail) = (isAccepted, outcome, detail);

    /// <summary>It replaces what was held of its node.</summary>
    public static AnnouncementVerdict Taken { get; } = new(true, AnnouncementOutcome.Held, "");

    /// <summary>It is the very one that is held.</summary>
    public static AnnouncementVerdict Repeated { get; } = new(true, AnnouncementOutcome.Applied, "");

    /// <summary>Whether it is held from now on, or was before.</summary>
    public bool IsAccepted { get; }

    /// <summary>Whether it replaces what was held of its node.</summary>
    public bool IsTaken => this == Taken;

    /// <summary>What its node is answered if the device is not looked at; of what is not accepted, the reason.</summary>
    public AnnouncementOutcome Outcome { get; }

    /// <summary>What is wrong with it, in a sentence for people; empty if it is accepted.</summary>
    public string Detail { get; }

    /// <summary>Nothing changes.</summary>
    /// <param name="outcome">The reason.</param>
    /// <param name="detail">What is wrong, in a sentence.</param>
    public static AnnouncementVerdict Refused(AnnouncementOutcome outcome, string detail) => new(false, outcome, detail);
}
