namespace Orleans.WireGuard;

/// <summary>Why a node depends on a key. Numbers are on the wire: new reasons go to the end.</summary>
public enum LaggingReason
{
    /// <summary>A silo of another version says something that this one does not know.</summary>
    Unknown,

    /// <summary>There is one slot only, and the node's silo does not answer, so it would not learn the new key.</summary>
    WouldNotLearnKey,

    /// <summary>Its silo does not answer, and nobody knows through which slot it sends.</summary>
    PathUnknown,

    /// <summary>It sends through the slot of the key; no handshake with it was completed on the other one.</summary>
    Sends,

    /// <summary>Its silo does not answer, and it sent through the slot of the key when it last did.</summary>
    SentLast,

    /// <summary>It had shaken hands on no other slot when it last answered.</summary>
    NoOtherHandshake,

    /// <summary>
    /// It may still move to the slot of the key: its other key or ours serves no later epoch, or it has not heard which epochs ours serve.
    /// </summary>
    MayMove,

    /// <summary>Packets of it still come in through the slot of the key.</summary>
    PacketsArrive,

    /// <summary>The node with the key still sends to it through the slot of the key.</summary>
    IsSentTo,
}

/// <summary>A node that depends on a key which is due.</summary>
/// <param name="NodeName">The node.</param>
/// <param name="Reason">Why.</param>
/// <param name="Slot">The slot of the key.</param>
/// <remarks>Number 1 was a sentence, and is not used again.</remarks>
[GenerateSerializer, Immutable, Alias("owg.LaggingNode")]
public sealed record LaggingNode(
    [property: Id(0)] string NodeName,
    [property: Id(2)] LaggingReason Reason,
    [property: Id(3)] Slot Slot);
