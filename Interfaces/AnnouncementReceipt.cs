namespace Orleans.WireGuard;

/// <summary>What a receiver did with an announcement.</summary>
public enum AnnouncementOutcome
{
    /// <summary>Accepted, and on this receiver's device. Also the answer to who offers again what is held already.</summary>
    Applied,

    /// <summary>Accepted, but not on this receiver's device yet; the receiver goes on trying.</summary>
    Held,

    /// <summary>Refused: the receiver holds a newer one of this node, or another one with the same sequence.</summary>
    StaleSequence,

    /// <summary>Refused: a public key in it is all-zero.</summary>
    ZeroKey,

    /// <summary>Refused: a public key in it belongs to another node.</summary>
    KeyOfAnotherNode,

    /// <summary>Refused: an allowed IP in it overlaps one of another node.</summary>
    OverlappingAllowedIPs,

    /// <summary>Refused: the signature does not verify.</summary>
    BadSignature,

    /// <summary>Refused: no such node in the roster.</summary>
    UnknownNode,

    /// <summary>Refused: a member is missing, empty or over its limit.</summary>
    Malformed,

    /// <summary>
    /// Refused: an allowed IP in it is no part of the pod CIDRs that the roster has for the node, or an endpoint none of its addresses
    /// there. Delivered again, because one of the two rosters may be behind.
    /// </summary>
    NotInRoster,

    /// <summary>Refused: its silo speaks no version of the protocol that the receiver knows.</summary>
    UnsupportedVersion,
}

/// <summary>A receiver's answer to an announcement.</summary>
/// <param name="Receiver">The node that answers.</param>
/// <param name="Outcome">What it did.</param>
/// <param name="HeldSequence">The sequence it now holds of the announcing node; <see langword="null"/> if none.</param>
[GenerateSerializer, Immutable, Alias("owg.AnnouncementReceipt")]
public sealed record AnnouncementReceipt(
    [property: Id(0)] string Receiver,
    [property: Id(1)] AnnouncementOutcome Outcome,
    [property: Id(2)] AnnouncementSequence? HeldSequence);
