using System.Globalization;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>What can happen to a node while it is watched.</summary>
internal enum WatchEventKind
{
    /// <summary>A slot has a new key.</summary>
    ReKeyed,

    /// <summary>The device of every other node that answers holds the key.</summary>
    Agreed,

    /// <summary>The node sends to a peer through another slot, or to another key of it.</summary>
    Moved,

    /// <summary>A peer keeps a key of the node from being replaced or destroyed.</summary>
    Late,

    /// <summary>A key was destroyed; its slot is idle.</summary>
    Destroyed,

    /// <summary>An operator has the node keep its keys.</summary>
    Frozen,

    /// <summary>The node rotates again.</summary>
    Unfrozen,

    /// <summary>The node says that a due key was not made, or at what cost.</summary>
    Problem,

    /// <summary>The node gives no answer any more.</summary>
    SiloGone,

    /// <summary>It answers, for the first time or again.</summary>
    SiloBack,
}

/// <summary>One line of <c>owg watch</c>.</summary>
/// <param name="At">When the snapshot was taken that shows it.</param>
/// <param name="Event">What happened.</param>
/// <param name="NodeName">Whom it is about.</param>
internal sealed record WatchEvent(DateTimeOffset At, WatchEventKind Event, string NodeName)
{
    /// <summary>The other node, of a move or a delay.</summary>
    public string? Peer { get; init; }

    /// <summary>The slot that the event is about.</summary>
    public Slot? Slot { get; init; }

    /// <summary>The epoch for which the key was made.</summary>
    public Epoch? Epoch { get; init; }

    /// <summary>The public key that the event is about.</summary>
    public PublicKey? Key { get; init; }

    /// <summary>Why, or more about it.</summary>
    public string? Detail { get; init; }

    /// <summary>A line for people, the time in UTC.</summary>
    public override string ToString() => $"{At.UtcDateTime.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture)}Z  {NodeName} {Sentence}";

    private string Sentence => Event switch
    {
        WatchEventKind.ReKeyed => $"re-keyed slot {Slot}: {Key?.ToShortString()} of epoch {Epoch}",
        WatchEventKind.Agreed => $"agreed: {Detail} hold {Key?.ToShortString()} in slot {Slot}",
        WatchEventKind.Moved => $"moved its traffic to {Peer} to slot {Slot}, key {Key?.ToShortString()}{Because}",
        WatchEventKind.Late => $"waits, {Peer} is late: {Detail}",
        WatchEventKind.Destroyed => $"destroyed the key of slot {Slot}: {Key?.ToShortString()}",
        WatchEventKind.Frozen => $"FROZEN {Detail}",
        WatchEventKind.Unfrozen => "rotates again",
        WatchEventKind.Problem => $"rotation: {Detail}",
        WatchEventKind.SiloGone => $"GONE: {Detail}",
        _ => "is back: its silo answers",
    };

    private string Because => Detail is null ? "" : $" ({Detail})";
}
